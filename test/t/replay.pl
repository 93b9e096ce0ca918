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

$node->stop;
done_testing();
