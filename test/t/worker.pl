# Learning in the background: a worker started by hand, without preloading, and
# those of the launcher of a preloaded library. Whatever happens to it, nothing
# is learned twice, and evidence equals its rebuild.
use strict;
use warnings;

use IPC::Run;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = PostgreSQL::Test::Cluster->new('worker');
$node->init(allows_streaming => 1);
$node->append_conf('postgresql.conf', "autovacuum = off\nrestart_after_crash = on\nmax_connections = 30\n");
$node->start;

sub as { my ($role, $database, $sql) = @_; return $node->safe_psql($database, $sql, extra_params => [ '-U', $role ]) }
sub bank { return as('bank', 'bank', shift) }

# A bank of the role "bank", which is no superuser: agents of every mode.
sub found_bank
{
	my ($database, $schema) = @_;
	as('bank', $database, qq{
		CREATE SCHEMA IF NOT EXISTS $schema;
		SET search_path = $schema, public;
		CREATE EXTENSION xsell SCHEMA $schema;
		SELECT xsell_create_journal('bigint');
		CREATE TABLE IF NOT EXISTS customers AS SELECT i::bigint AS id, (i % 60)::integer AS age FROM generate_series(1, 1000) i;
		INSERT INTO xsell.agent (agent, customer_table, customer_key, seed, learning) VALUES
			('retail', 'customers', 'id', 1, 'background'), ('second', 'customers', 'id', 2, 'background'),
			('manual', 'customers', 'id', 3, 'deferred'), ('kept', 'customers', 'id', 4, 'hold');
		INSERT INTO xsell.channel (agent, channel) SELECT agent, 'web' FROM xsell.agent;
		INSERT INTO xsell.product (product, credit) VALUES ('card', true), ('fund', false);
		INSERT INTO xsell.offer (agent, product) SELECT agent, product FROM xsell.agent, xsell.product;
		INSERT INTO xsell.feature (agent, feature, expression, center, scale) SELECT agent, 'age', 'age', 30, 20 FROM xsell.agent;
	});
}

# Decides for these customers, and reports an outcome of every third.
sub decide
{
	my ($database, $agents, $from, $to) = @_;
	as('bank', $database, qq{
		SELECT count(d.decision_id) FROM unnest('{$agents}'::text[]) a CROSS JOIN customers c
		 CROSS JOIN LATERAL xsell_decide(c, agent => a) d WHERE c.id BETWEEN $from AND $to;
		SELECT count(xsell_reward(decision_id, 'conversion')) FROM xsell.decision d
		 WHERE customer_key BETWEEN $from AND $to AND customer_key % 3 = 0
		   AND NOT EXISTS (SELECT FROM xsell.outcome o WHERE o.decision_id = d.decision_id)});
}

# Offers of an agent that are not learned with the reward that they have.
my $unlearned = q{SELECT count(*) FROM xsell.decision d
	LEFT JOIN (SELECT decision_id, sum(reward - coalesce(previous, 0)) AS reward FROM xsell.experience GROUP BY 1) e USING (decision_id)
	WHERE d.product IS NOT NULL AND d.agent = 'AGENT'
	  AND e.reward IS DISTINCT FROM coalesce((SELECT max(reward) FROM xsell.outcome o WHERE o.decision_id = d.decision_id), 0)};

sub learns
{
	my ($database, $agent, $what) = @_;
	return ok($node->poll_query_until($database, $unlearned =~ s/AGENT/$agent/r, '0'), $what);
}

sub learned_once
{
	my ($database, $what) = @_;
	return is($node->safe_psql($database, q{
		SELECT (SELECT count(*) - count(DISTINCT decision_id) FROM xsell.experience WHERE previous IS NULL)
			 + (SELECT count(*) FROM unnest('{retail,second,manual,kept}'::text[]) a
				  CROSS JOIN LATERAL (SELECT FROM (SELECT * FROM xsell.evidence e WHERE e.agent = a) e
				  FULL JOIN xsell_rebuild_evidence(a) r USING (product, encoding, bucket, source)
				 WHERE (e.beta = r.beta AND e.glm = r.glm AND e.score = r.score AND e.harm = r.harm) IS NOT TRUE) x)}),
		0, $what);
}

my $workers = q{SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'xsell learner'};
sub workers { my ($n, $what) = @_; return ok($node->poll_query_until('postgres', $workers, $n), $what) }

# ---- started by hand ----

$node->safe_psql('postgres', 'CREATE ROLE bank LOGIN; CREATE ROLE operator LOGIN');
$node->safe_psql('postgres', 'CREATE DATABASE bank OWNER bank');
found_bank('bank', 'public');
decide('bank', 'retail,second,manual,kept', 1, 100);

my ($status, $out, $err) = $node->psql('bank', 'SELECT xsell_worker_start()', extra_params => [ '-U', 'operator' ]);
like($err, qr/permission denied for function xsell_worker_start/, 'not everyone starts a worker');
bank('GRANT EXECUTE ON FUNCTION xsell_worker_start, xsell_worker_stop TO operator');
my $pid = as('operator', 'bank', 'SELECT xsell_worker_start()');
is($node->safe_psql('bank', q{SELECT pid, datname, usename FROM pg_stat_activity WHERE backend_type = 'xsell learner'}),
	"$pid|bank|operator", 'who was granted it does, and the worker is seen');
learns('bank', $_, "$_ is learned in the background") for qw(retail second);
is(bank(q{SELECT count(*) FROM xsell.experience WHERE agent IN ('manual', 'kept')}), '0', 'those of other modes are not');

ok($node->poll_query_until('bank', q{SELECT lag IS NULL AND activity ~ '^waiting' FROM xsell.learning WHERE agent = 'retail'}),
	'nothing is behind, the worker waits');
is(bank(q{SELECT agent, learning, model_version > 0, learned_at IS NOT NULL, now() - learned_to < '1 min', lag IS NOT NULL, pending, late, pid, failure FROM xsell.learning ORDER BY 1}),
	"kept|hold|f|f||t|100|0||\nmanual|deferred|f|f||t|100|0||\nretail|background|t|t|t|f|0|0|$pid|\nsecond|background|t|t|t|f|0|0|$pid|",
	'the status view, to who owns the journal');

($status, $out, $err) = $node->psql('bank', 'SELECT xsell_worker_start()');
is($out, $pid, 'a second start finds the first worker');
like($err, qr/NOTICE:  a background worker learns for this database already, process $pid/, 'and says so');
is($node->safe_psql('postgres', $workers), '1', 'there is one');

# an idle round writes nothing
my $xid = q{SELECT pg_snapshot_xmax(pg_current_snapshot())};
my $before = bank($xid);
my $round = $node->safe_psql('bank', "SELECT state_change FROM pg_stat_activity WHERE pid = $pid");
ok($node->poll_query_until('bank', "SELECT state_change > '$round' FROM pg_stat_activity WHERE pid = $pid"), 'a round passes');
is(bank($xid), $before, 'without a transaction id');

# ---- together with others ----

bank(q{UPDATE xsell.agent SET learning = 'background' WHERE agent = 'manual'});
my $script = $node->basedir . '/together.sql';
append_to_file($script, q{\set customer random(101, 1000)
SELECT xsell_reward(d.decision_id, 'conversion') FROM customers c, xsell_decide(c, agent => 'retail') d WHERE c.id = :customer AND d.product IS NOT NULL;
SELECT count(*) FROM xsell_learn('retail', 5);
});
$node->command_ok([ 'pgbench', '-n', '-U', 'bank', '-c', 4, '-t', 100, '-f', $script, 'bank' ], 'deciding and learning by hand at the same time');
learns('bank', $_, "$_ is learned, by whomever") for qw(retail manual);
learned_once('bank', 'and nothing twice');
bank(q{UPDATE xsell.agent SET learning = 'deferred' WHERE agent = 'manual'});

# ---- errors ----

bank(q{
	CREATE FUNCTION break() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN RAISE 'broken table'; END$$;
	CREATE TRIGGER break BEFORE INSERT OR UPDATE ON xsell.evidence FOR EACH ROW WHEN (NEW.agent = 'second') EXECUTE FUNCTION break()});
decide('bank', 'retail,second', 101, 200);
ok($node->poll_query_until('bank', q{SELECT failure = 'broken table' FROM xsell.learning WHERE agent = 'second'}), 'an error is remembered');
learns('bank', 'retail', 'and the other agent is learned');
my $failed = bank(q{SELECT failed_at FROM xsell.learning WHERE agent = 'second'});
ok($node->poll_query_until('bank', qq{SELECT failed_at > '$failed' FROM xsell.learning WHERE agent = 'second'}), 'it is tried again');
is(scalar(() = slurp_file($node->logfile) =~ /ERROR:  broken table/g), 1, 'logged once');
like(slurp_file($node->logfile), qr/CONTEXT: .*learning agent "second" in the background/s, 'with the agent');
bank('DROP TRIGGER break ON xsell.evidence');
learns('bank', 'second', 'once repaired, it is learned');
ok($node->poll_query_until('bank', q{SELECT failed_at IS NULL AND failure IS NULL FROM xsell.learning WHERE agent = 'second'}), 'and the error forgotten');
learned_once('bank', 'learned once after an error');

# It has the rights of the journal's owner, to the end of the commit.
bank(q{
	CREATE TABLE rights (who text, session text, escaped text);
	CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS $$
	DECLARE escaped text := 'yes';
	BEGIN
		BEGIN SET ROLE NONE; EXCEPTION WHEN insufficient_privilege THEN escaped := 'no'; END;
		INSERT INTO rights VALUES (current_user, session_user, escaped);
		RETURN NULL;
	END$$;
	CREATE CONSTRAINT TRIGGER note AFTER UPDATE ON xsell.learner DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION note()});
decide('bank', 'retail', 201, 210);
ok($node->poll_query_until('bank', 'SELECT count(*) > 0 FROM rights'), 'a deferred trigger fires');
is(bank('SELECT DISTINCT who, session, escaped FROM rights'), 'bank|operator|no', 'as the owner of the journal, and nobody else');
bank('DROP TRIGGER note ON xsell.learner');

# ---- crashes ----

sub crash
{
	my ($what) = @_;
	my ($stdin, $stdout, $stderr) = ('', '', '');
	my $victim = IPC::Run::start([ 'psql', '-XqAt', '-d', $node->connstr('postgres'), '-c', 'SELECT pg_backend_pid()', '-c', 'SELECT pg_sleep(600)' ],
		'<', \$stdin, '>', \$stdout, '2>', \$stderr);
	$victim->pump until $stdout =~ /(\d+)\n/;
	kill 'KILL', $1;
	eval { $victim->finish };
	return ok($node->poll_query_until('postgres', "SELECT count(*) = 1 AND min(pid) <> $pid FROM pg_stat_activity WHERE backend_type = 'xsell learner'"), $what);
}
crash('a worker started by hand is back after a crash');
decide('bank', 'retail,second', 211, 300);
learns('bank', $_, "and learns $_") for qw(retail second);
learned_once('bank', 'learned once after a crash');

# ---- stop, start, many at once ----

is(as('operator', 'bank', 'SELECT xsell_worker_stop()'), 't', 'it is stopped');
is($node->safe_psql('postgres', $workers), '0', 'and gone');
is(bank('SELECT xsell_worker_stop()'), 'f', 'nothing is left to stop');
is(bank(q{SELECT pid, activity FROM xsell_worker()}), '|', 'nor to see');
my $many = $node->basedir . '/many.sql';
append_to_file($many, "INSERT INTO started SELECT xsell_worker_start();\n");
bank('CREATE TABLE started (pid integer)');
$node->command_ok([ 'pgbench', '-n', '-U', 'bank', '-c', 8, '-j', 8, '-t', 1, '-f', $many, 'bank' ], 'eight sessions start one');
is(bank('SELECT count(*), count(DISTINCT pid) FROM started'), '8|1', 'all are told of the same');
workers(1, 'and there is but one');

# ---- the extension goes and comes ----

$pid = bank('SELECT pid FROM xsell_worker()');
bank(q{SET lock_timeout = '10s'; SET client_min_messages = error; DROP EXTENSION xsell CASCADE});
workers(0, 'a worker started by hand ends with the extension');
found_bank('bank', 'elsewhere');
$node->safe_psql('postgres', "ALTER ROLE $_ SET search_path = elsewhere, public") for qw(bank CURRENT_USER);
bank('SELECT xsell_worker_start()');
decide('bank', 'retail,second', 1, 100);
learns('bank', $_, "$_ is learned in another schema") for qw(retail second);
learned_once('bank', 'learned once by the new extension');

# ---- databases go ----

$node->safe_psql('postgres', 'CREATE DATABASE gone OWNER bank');
found_bank('gone', 'elsewhere');
as('bank', 'gone', 'SELECT xsell_worker_start()');
as('bank', 'postgres', 'DROP DATABASE gone WITH (FORCE)');
workers(1, 'a database is dropped by its owner, its worker with it');

# ---- preloaded ----

my $log = -s $node->logfile;
$node->append_conf('postgresql.conf', "shared_preload_libraries = 'xsell'\nxsell.worker_databases = 'bank, later, \"Nowhere\"'\nxsell.worker_nap = 100ms\n");
$node->restart;
my $in_bank = q{SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'xsell learner' AND datname = 'bank'};
ok($node->poll_query_until('postgres', $in_bank, '1'), 'the launcher starts the worker of a listed database');
is($node->safe_psql('postgres', q{SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'xsell launcher' AND datname IS NULL}), '1', 'and is seen');
decide('bank', 'retail', 101, 200);
learns('bank', 'retail', 'it learns');
is($node->safe_psql('bank', q{SET xsell.simulated_now = '2026-05-01 12:00+00'; SELECT xsell_decided_at((xsell_choose(c, agent => 'retail')).decision_id) FROM customers c WHERE id = 1}),
	$node->safe_psql('bank', q{SELECT '2026-05-01 12:00+00'::timestamptz}), 'settings work in a preloaded library');

$node->safe_psql('postgres', 'CREATE DATABASE later OWNER bank');
workers(2, 'a database created later gets its worker');
found_bank('later', 'elsewhere');
decide('later', 'retail,second', 1, 100);
learns('later', $_, "which learns $_ once there is something to learn") for qw(retail second);
my $idle = q{SELECT query FROM pg_stat_activity WHERE backend_type = 'xsell learner' AND datname = 'later'};
as('bank', 'later', q{SET lock_timeout = '10s'; SET client_min_messages = error; DROP EXTENSION xsell CASCADE});
ok($node->poll_query_until('later', $idle, 'waiting for a journal'), 'it stays when the extension goes');
found_bank('later', 'public');
decide('later', 'retail', 1, 100);
learns('later', 'retail', 'and learns when it comes back');
learned_once('later', 'learned once');
$node->safe_psql('postgres', 'DROP DATABASE later WITH (FORCE)');
workers(1, 'it goes with its database');

$pid = $node->safe_psql('bank', 'SELECT pid FROM xsell_worker()');
crash('workers of the launcher are back after a crash');
$pid = $node->safe_psql('bank', 'SELECT pid FROM xsell_worker()');
($status, $out, $err) = $node->psql('bank', 'SELECT xsell_worker_stop()');
like($err, qr/NOTICE:  the background worker will be started again\nHINT:  Take the database off xsell.worker_databases/, 'stopping one that is listed');
ok($node->poll_query_until('postgres', "SELECT count(*) = 1 AND min(pid) <> $pid FROM pg_stat_activity WHERE backend_type = 'xsell learner'"), 'does not last');

sub listed
{
	$node->safe_psql('postgres', "ALTER SYSTEM SET xsell.worker_databases = $_[0]");
	$node->reload;
}
listed(q{''});
workers(0, 'a database taken off the list has no worker');
listed(q{'bank'});
workers(1, 'put on it again, it has');

# a standby has none before it is promoted
$node->backup('base');
my $standby = PostgreSQL::Test::Cluster->new('standby');
$standby->init_from_backup($node, 'base', has_streaming => 1);
$standby->start;
is($standby->safe_psql('postgres', q{SELECT count(*) FROM pg_stat_activity WHERE backend_type ~ '^xsell'}), '0', 'none on a standby');
($status, $out, $err) = $standby->psql('bank', 'SELECT xsell_worker_start()');
like($err, qr/xsell_worker_start cannot run on a standby server/, 'nor may one be started');
decide('bank', 'retail', 301, 400);
learns('bank', 'retail', 'the primary learns');
$node->wait_for_catchup($standby, 'replay', $node->lsn('insert'));
$node->stop;
$standby->promote;
ok($standby->poll_query_until('postgres', $in_bank, '1'), 'one when it is promoted');
$standby->stop;

# what psql was told, and what a crash is told by recovery, is not the workers'
my @told = grep { /(FATAL|ERROR|WARNING):  / && !/worker\.pl|the database system is|old database directory|could not open directory/ }
  split /\n/, slurp_file($node->logfile, $log);
is(join("\n", @told), '', 'the log is quiet about all that');
done_testing();
