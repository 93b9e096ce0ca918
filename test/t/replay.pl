# Decisions replay bit for bit: after later learning, a restart, a policy change,
# and under another number of parallel workers.
use strict;
use warnings;

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = PostgreSQL::Test::Cluster->new('replay');
$node->init;
$node->start;
$node->safe_psql('postgres', 'CREATE EXTENSION xsell');
$node->safe_psql('postgres', '\i test/data/small_bank.sql');
$node->safe_psql('postgres', 'CALL play(15)');

my $count = 'SELECT count(*) FROM xsell.decision WHERE product IS NOT NULL';
cmp_ok($node->safe_psql('postgres', 'SELECT count(*) FROM xsell.decision'), '>=', 10_000, 'ten thousand decisions');
cmp_ok($node->safe_psql('postgres', 'SELECT count(DISTINCT model_version) FROM xsell.decision'), '>', 50, 'by many model versions');

# bool_and over all; the number of rows says that all were looked at
my $replay = q{SELECT count(*) = (SELECT count(*) FROM xsell.decision) AND bool_and(r.identical)
	FROM xsell.decision d, xsell_replay(d.decision_id) r};
is($node->safe_psql('postgres', $replay), 't', 'all replay');

$node->restart;
is($node->safe_psql('postgres', $replay), 't', 'after a restart');

$node->safe_psql('postgres', q{
	UPDATE xsell.agent SET strategy = 'ucb', prior_precision = 50;
	DELETE FROM xsell.feature WHERE feature = 'segment';
	DELETE FROM xsell.offer WHERE product = 'travel';
	ALTER TABLE customers DROP COLUMN segment;
	SELECT xsell_reward(decision_id, 'conversion') FROM xsell.decision WHERE product IS NOT NULL
		AND decision_id NOT IN (SELECT decision_id FROM xsell.outcome) LIMIT 500;
	SELECT xsell_learn();
	SELECT count(xsell_decide(c)) FROM customers c WHERE id % 10 = 0});
is($node->safe_psql('postgres', $replay), 't', 'after the policy has changed and later outcomes were learned');

# xsell_replay is parallel safe; each worker rolls the evidence on its own.
my $parallel = q{SET max_parallel_workers_per_gather = 3; SET parallel_setup_cost = 0; SET parallel_tuple_cost = 0;
	SET min_parallel_table_scan_size = 0;};
my $plain = 'SELECT count(*), bool_and((xsell_replay(d.decision_id)).identical) FROM xsell.decision d';
like($node->safe_psql('postgres', "$parallel EXPLAIN $plain"), qr/Gather/, 'the plan is parallel');
is($node->safe_psql('postgres', "$parallel SELECT count = (SELECT count(*) FROM xsell.decision) AND bool_and FROM ($plain) x"),
	't', 'with parallel workers');

# and it can fail
my $id = $node->safe_psql('postgres', 'SELECT decision_id FROM xsell.decision WHERE product IS NOT NULL ORDER BY 1 LIMIT 1 OFFSET 5000');
$node->safe_psql('postgres', "UPDATE xsell.decision SET probability = probability * (1 + 1e-15) WHERE decision_id = $id");
is($node->safe_psql('postgres', "SELECT field FROM xsell_replay($id)"), 'probability', 'a changed last bit is found');
$node->safe_psql('postgres', "UPDATE xsell.experience SET reward = 1 - reward WHERE (decision_id, model_version) =
	(SELECT decision_id, model_version FROM xsell.experience ORDER BY 1 LIMIT 1)");
isnt($node->safe_psql('postgres', 'SELECT count(*) FROM xsell.decision d, xsell_replay(d.decision_id) r WHERE NOT r.identical'),
	'0', 'changed experience is found');

# Whatever evidence a model is made of: by feature, by segment, of harm, of how
# good forecasts were; of all time, or of late.
$node->safe_psql('postgres', 'CREATE DATABASE kinds');
$node->safe_psql('kinds', 'CREATE EXTENSION xsell');
$node->safe_psql('kinds', '\i test/data/small_bank.sql');
$node->safe_psql('kinds', q{INSERT INTO xsell.outcome_kind (agent, outcome, reward, harm) VALUES ('retail', 'complaint', 0, 1), ('retail', 'unsubscribe', 0.05, 0.3)});
my $week = 0;
for my $settings ("segment = 'segment', oracle = 'segment'", "oracle = 'auto'", "harm_price = 2", "half_life = '10 days', pooling = 0.3",
	"oracle = 'linear', evidence_window = '20 days'", "oracle = 'auto', half_life = NULL", "oracle = 'beta'", "oracle = 'segment', evidence_window = NULL")
{
	$node->safe_psql('kinds', qq{
		UPDATE xsell.agent SET $settings;
		CALL play(1, DATE '2026-01-05' + 7 * $week);
		SET xsell.simulated_now = '@{[ $week % 2 ? '2026-04-01' : '2026-03-31' ]} 00:00+00';
		SELECT count(xsell_reward(decision_id, (ARRAY['complaint', 'unsubscribe', 'conversion'])[1 + abs(hashint8(decision_id) % 3)], NULL, xsell_decided_at(decision_id) + interval '1 day'))
		FROM xsell.decision WHERE product IS NOT NULL AND hashint8extended(decision_id, $week) % 11 = 0;
		SELECT xsell_learn()});
	$week++;
}
ok($node->safe_psql('kinds', 'SELECT count(DISTINCT segment) = 3 AND count(*) FILTER (WHERE segment IS NULL AND product IS NOT NULL) > 100
	AND (SELECT count(*) FROM xsell.experience WHERE previous_harm < harm) > 100 FROM xsell.decision') eq 't', 'segments and harm were learned');
my $first = q{SELECT coalesce(max(concat_ws(' ', r.field, policy_version, r.logged, r.replayed)) FILTER (WHERE NOT r.identical), 'none of ' || (count(*) > 5000)::text)
	FROM (SELECT decision_id, policy_version FROM xsell.decision ORDER BY %s) d, xsell_replay(d.decision_id) r};
is($node->safe_psql('kinds', sprintf $first, 'decision_id'), 'none of true', 'no decision differs, whatever its model was made of');
is($node->safe_psql('kinds', sprintf $first, 'hashint8(decision_id)'), 'none of true', 'in any order');

$node->stop;
done_testing();
