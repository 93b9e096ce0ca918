# A hot standby chooses and ranks but does not decide; what it chose is recorded
# on the primary, and promotion loses nothing.
use strict;
use warnings;

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $primary = PostgreSQL::Test::Cluster->new('primary');
$primary->init(allows_streaming => 1);
$primary->start;
$primary->safe_psql('postgres', 'CREATE EXTENSION xsell');
$primary->safe_psql('postgres', '\i test/data/small_bank.sql');
$primary->safe_psql('postgres', "UPDATE xsell.agent SET oracle = 'auto', segment = 'segment', similarity = '{type}'");
$primary->safe_psql('postgres', 'CALL play(2)');
$primary->safe_psql('postgres', "SELECT xsell_promote('retail', xsell_refit('retail'))");
$primary->backup('base');
my $standby = PostgreSQL::Test::Cluster->new('standby');
$standby->init_from_backup($primary, 'base', has_streaming => 1);
$standby->start;
$primary->wait_for_catchup($standby, 'replay', $primary->lsn('insert'));

my $rank = q{SELECT string_agg(r::text, ' ') FROM customers c, xsell_rank(c) r WHERE c.id < 50};
is($standby->safe_psql('postgres', $rank), $primary->safe_psql('postgres', $rank), 'standby and primary rank alike');

my $models = join ' UNION ALL ', map { "SELECT v::text FROM xsell.$_ v" } qw(model coefficient decision_rule forecast season change alert);
$models .= " UNION ALL SELECT c::text FROM xsell_compare('retail', 1, 0) c UNION ALL SELECT d::text FROM xsell_policy_distance('retail', 1, 0) d ORDER BY 1";
my $seen = $standby->safe_psql('postgres', $models);
cmp_ok(scalar(split /\n/, $seen), '>', 50, 'models, forecasts and comparisons are shown on the standby');
is($seen, $primary->safe_psql('postgres', $models), 'as on the primary');

# SQLSTATE, message and hint of what cannot run here
my $elsewhere = 'xsell_choose and xsell_rank can; record what they chose on the primary with xsell_record.';
my $from_there = 'Call it on the primary: outcomes and evidence reach standbys from there.';
for my $case (
	[ 'xsell_decide', 'SELECT xsell_decide(c) FROM customers c WHERE id = 1', $elsewhere ],
	[ 'xsell_record', 'SELECT xsell_record(xsell_choose(c)) FROM customers c WHERE id = 1', $elsewhere ],
	[ 'xsell_reward', "SELECT xsell_reward(1, 'conversion')", $from_there ],
	[ 'xsell_learn', 'SELECT xsell_learn()', $from_there ],
	[ 'xsell_refit', "SELECT xsell_refit('retail')", $from_there ],
	[ 'xsell_promote', "SELECT xsell_promote('retail', 0)", $from_there ],
	[ 'xsell_rollback', "SELECT xsell_rollback('retail')", $from_there ])
{
	my ($function, $sql, $hint) = @$case;
	my ($status, $out, $err) = $standby->psql('postgres', "\\set VERBOSITY verbose\n$sql");
	$err =~ s/^psql:<stdin>:\d+: //mg;
	$err =~ s/\nLOCATION:.*//s;
	is($err, "ERROR:  25006: $function cannot run on a standby server\nHINT:  $hint", "$function refuses");
}

my $chosen = $standby->safe_psql('postgres', 'SELECT xsell_choose(c) FROM customers c WHERE id = 20');
like($chosen, qr/^\(\d+,20,retail,/, 'the standby chooses');
my $quoted = $chosen =~ s/'/''/gr;
my $id = $primary->safe_psql('postgres', "SELECT xsell_record('$quoted'::xsell_decision)");
is($primary->safe_psql('postgres', "SELECT d.product IS NOT NULL, r.identical, breach FROM xsell.decision d, xsell_replay(decision_id) r WHERE decision_id = $id"),
	't|t|', 'the primary records it, and it replays');
is($primary->safe_psql('postgres', "SELECT $id = ANY (decision_id) FROM xsell.contact WHERE customer_key = 20"), 't', 'as a contact too');
is($primary->safe_psql('postgres', "SELECT decisions FROM xsell_learn('retail')"), '1', 'and it is learned');

# the standby follows policy and model
$primary->safe_psql('postgres', q{INSERT INTO xsell.rule (agent, rule, kind, expression) VALUES ('retail', 'nobody', 'suitability', 'false')});
$primary->wait_for_catchup($standby, 'replay', $primary->lsn('insert'));
is($standby->safe_psql('postgres', 'SELECT count(*) FILTER (WHERE excluded IS NULL) FROM customers c, xsell_rank(c) WHERE id = 30'), '0',
	'a new rule reaches the standby');
$primary->safe_psql('postgres', q{DELETE FROM xsell.rule WHERE rule = 'nobody'});

$primary->safe_psql('postgres', "SELECT xsell_rollback('retail')");
$primary->wait_for_catchup($standby, 'replay', $primary->lsn('insert'));
is($standby->safe_psql('postgres', 'SELECT DISTINCT refit FROM xsell.model'), '0', 'as does a rollback of a refit');

my $live = $primary->safe_psql('postgres', 'SELECT md5(string_agg(e::text, \'\' ORDER BY e::text)) FROM xsell.evidence e');
$primary->wait_for_catchup($standby, 'replay', $primary->lsn('insert'));
$primary->stop('immediate');
$standby->promote;
is($standby->safe_psql('postgres', 'SELECT md5(string_agg(e::text, \'\' ORDER BY e::text)) FROM xsell.evidence e'), $live, 'promotion keeps the evidence');
is($standby->safe_psql('postgres', q{SELECT count(*) FROM customers c, xsell_decide(c, channel => 'web') d WHERE id = 7 AND d.decision_id > 0}), '1', 'and decides');
is($standby->safe_psql('postgres', 'SELECT bool_and(r.identical) FROM xsell.decision d, xsell_replay(decision_id) r'), 't', 'and replays everything');
$standby->stop;
done_testing();
