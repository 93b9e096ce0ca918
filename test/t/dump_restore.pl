# Dump and restore of a database with policies and journal give an identical one.
use strict;
use warnings;

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = PostgreSQL::Test::Cluster->new('dump_restore');
$node->init;
$node->start;
$node->safe_psql('postgres', 'CREATE DATABASE original');
$node->safe_psql('original', 'CREATE EXTENSION xsell');
$node->safe_psql('original', '\i test/data/small_bank.sql');
$node->safe_psql('original', 'CALL play(2)');
$node->safe_psql('original', q{
	UPDATE xsell.agent SET epsilon = 0.25, strategy = 'epsilon_greedy';
	INSERT INTO xsell.outcome_kind VALUES ('retail', 'click', 0.1);
	INSERT INTO xsell.outcome_kind (agent, outcome, reward, reverses) VALUES ('retail', 'a_return', 0, 'cancellation'), ('retail', 'cancellation', 0, 'conversion');
	INSERT INTO xsell.outcome_kind (agent, outcome, reward, delivery) VALUES ('retail', 'bounce', 0, 'undelivered');
	UPDATE xsell.offer SET observation_window = '60 days' WHERE product = 'loan';
	UPDATE xsell.channel SET reports_delivery = true WHERE channel = 'email';
	SELECT xsell_create_partition(now() - interval '1 day', now() + interval '30 days');
	SELECT count(xsell_decide(c, request_key => 'visit ' || id)) FROM customers c WHERE id % 50 = 0;
	SELECT xsell_record(xsell_choose(c)) FROM customers c WHERE id = 4;
	SELECT xsell_reward(decision_id, 'cancellation', event_id => 'event ' || customer_key) FROM xsell.outcome WHERE outcome = 'conversion';
	INSERT INTO xsell.intake (decision_id, outcome, event_id) SELECT decision_id, 'a_return', 'e' FROM xsell.outcome LIMIT 10;
	INSERT INTO xsell.intake (customer_key, product, outcome) VALUES (1, 'loan', 'click');
	SELECT xsell_take_in();
	INSERT INTO xsell.intake (decision_id, outcome) VALUES (1, 'click');
	SELECT xsell_learn();
	SELECT xsell_promote('retail', xsell_refit('retail'))});

my @tables = split /\n/, $node->safe_psql('original', q{
	SELECT relname FROM pg_class WHERE relnamespace = 'xsell'::regnamespace AND relkind IN ('r', 'p') ORDER BY 1});
cmp_ok(scalar @tables, '>=', 20, 'policy tables, journal and partitions');

my $path = $node->basedir;
sub contents
{
	my $database = shift;
	return join '', map { my $t = $_; map { "$t: $_\n" } split /\n/, $node->safe_psql($database, "SELECT t::text FROM xsell.$t t ORDER BY 1") } @tables;
}
sub schema
{
	my $database = shift;
	my $dump = `pg_dump -s -h @{[$node->host]} -p @{[$node->port]} $database`;
	$dump =~ s/^\\(un)?restrict .*\n//mg;
	return $dump;
}

my $contents = contents('original');
my $models = q{SELECT c::text FROM xsell.coefficient c UNION ALL SELECT DISTINCT 'refit ' || refit FROM xsell.model ORDER BY 1};
my $schema = schema('original');

for my $how ([ 'plain', '--format=plain' ], [ 'inserts', '--format=plain', '--inserts' ], [ 'custom', '--format=custom' ])
{
	my ($name, @options) = @$how;
	$node->safe_psql('postgres', "CREATE DATABASE $name");
	$node->command_ok([ 'pg_dump', @options, '-f', "$path/$name", 'original' ], "$name: dump");
	if ($name eq 'custom')
	{
		$node->command_ok([ 'pg_restore', '--exit-on-error', '-j', '2', '-d', $name, "$path/$name" ], "$name: restore");
	}
	else
	{
		$node->command_ok([ 'psql', '-X', '-q', '-v', 'ON_ERROR_STOP=1', '-1', '-d', $name, '-f', "$path/$name" ], "$name: restore");
	}
	is(contents($name), $contents, "$name: every row of every table is the same");
	is(schema($name), $schema, "$name: the schema is the same");
	is($node->safe_psql($name, q{SELECT count(*) > 0 AND bool_and(r.identical) FROM xsell.decision d, xsell_replay(d.decision_id) r}),
		't', "$name: its decisions replay");
	is($node->safe_psql($name, q{SELECT recorded, duplicate, dangling FROM xsell_take_in(retry_dangling => true)}), '0|0|2', "$name: what dangles is still there, and what waits is taken in");
	is($node->safe_psql($name, $models), $node->safe_psql('original', $models), "$name: its models are the same, the refit in effect included");
	is($node->safe_psql($name, q{SELECT count(*) FROM customers c, xsell_decide(c, channel => 'web') d WHERE id = 5}), '1', "$name: it decides");
	is($node->safe_psql($name, q{UPDATE xsell.agent SET epsilon = 0.3; SELECT max(policy_version) - (SELECT count(*) FROM xsell.policy) FROM xsell.policy}),
		'0', "$name: it publishes the next version");
}

$node->stop;
done_testing();
