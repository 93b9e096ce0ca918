# The agent learns: on the demo's bank, with its response model that no agent
# knows, the agent converts more than uniform offers and than the propensity
# alone, over three seeds.  The clock is simulated, so each seed gives the same
# decisions on every machine.  The demo's other scripts run to their end, too.
use strict;
use warnings;

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = PostgreSQL::Test::Cluster->new('learns');
$node->init;
$node->append_conf('postgresql.conf', "shared_buffers = '256MB'\nautovacuum = off\njit = off\ntimezone = 'UTC'\n");
$node->start;

# offers and conversions of a policy in the last weeks of the eight
sub last_weeks
{
	my ($database, $agent, $weeks) = @_;
	return split /\|/, $node->safe_psql($database, qq{
		SELECT count(*), sum(reward) FROM xsell.reward
		WHERE agent = '$agent' AND decided_at >= (SELECT min(decided_at) + (8 - $weeks) * interval '7 days' FROM xsell.reward)});
}

# the lead of conversion rate p1 over p2 in standard errors
sub standard_errors
{
	my ($n1, $k1, $n2, $k2) = @_;
	my ($p1, $p2) = ($k1 / $n1, $k2 / $n2);
	return ($p1 - $p2) / sqrt($p1 * (1 - $p1) / $n1 + $p2 * (1 - $p2) / $n2);
}

# scripts of the demo, in order
sub play
{
	my ($database, $seed, @scripts) = @_;
	my $run = PostgreSQL::Test::Utils::run_log(
		[ 'psql', '-X', '-q', '-v', 'ON_ERROR_STOP=1', '-v', "seed=$seed", '-v', 'size=0.5', '-v', 'weeks=8',
			'-d', $node->connstr($database), map { ('-f', "$_.sql") } @scripts ],
		'>', \my $out, '2>', \my $err, 'init', sub { chdir 'demo' or die $! });
	return ok($run, "$database: @scripts") || diag $err;
}

my %total;
for my $seed (1 .. 3)
{
	$node->safe_psql('postgres', "CREATE DATABASE seed$seed");
	play("seed$seed", $seed, '1_bank', '2_world', '3_policy', '4_weeks');
	for my $agent (qw(retail uniform propensity))
	{
		my ($n, $k) = last_weeks("seed$seed", $agent, 4);
		my ($last_n, $last_k) = last_weeks("seed$seed", $agent, 1);
		note "seed $seed: $agent $k of $n";
		$total{$agent}[0] += $n;
		$total{$agent}[1] += $k;
		$total{"$seed $agent"} = [ $n, $k ];
		$total{"last $agent"}[0] += $last_n;
		$total{"last $agent"}[1] += $last_k;
	}
	cmp_ok(standard_errors(@{ $total{"$seed retail"} }, @{ $total{"$seed uniform"} }), '>', 3, "seed $seed: above uniform by more than 3 standard errors");
	cmp_ok(standard_errors(@{ $total{"$seed retail"} }, @{ $total{"$seed propensity"} }), '>', 0, "seed $seed: above the propensity alone");
}
cmp_ok(standard_errors(@{ $total{retail} }, @{ $total{propensity} }), '>', 3, 'all seeds: above the propensity alone by more than 3 standard errors');

for my $other (qw(uniform propensity))
{
	cmp_ok(standard_errors(@{ $total{'last retail'} }, @{ $total{"last $other"} }), '>', 2, "all seeds, the last week alone: above $other by more than 2 standard errors");
}

# Ten thousand of the demo's decisions and more replay bit for bit, after all the
# learning that came later, a restart, and under another number of workers.
$node->restart;
my $replayed = q{SELECT count(*) >= 10000 AND bool_and((xsell_replay(decision_id)).identical) FROM xsell.decision WHERE agent = 'retail'};
is($node->safe_psql('seed1', "SET max_parallel_workers_per_gather = 0; $replayed"), 't', 'the demo replays after a restart');
my $parallel = 'SET max_parallel_workers_per_gather = 3; SET parallel_setup_cost = 0; SET parallel_tuple_cost = 0; SET min_parallel_table_scan_size = 0;';
like($node->safe_psql('seed1', "$parallel EXPLAIN $replayed"), qr/Gather/, 'a plan that is parallel');
is($node->safe_psql('seed1', "$parallel $replayed"), 't', 'the demo replays in parallel workers');

play('seed1', 1, '5_report', '6_audit');
$node->safe_psql('postgres', 'CREATE DATABASE loans');
play('loans', 1, '7_loans');

$node->stop;
done_testing();
