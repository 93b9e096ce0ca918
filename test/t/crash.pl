# The server is killed again and again under load: every decision and outcome
# that a client was told of is in the journal, none that was rolled back is, and
# each was learned exactly once. The clients' own logs are the witness.
use strict;
use warnings;

use IPC::Run;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(usleep);

my $CLIENTS = 3;
my $ROUNDS = 3;

my $node = PostgreSQL::Test::Cluster->new('crash');
$node->init;
$node->append_conf('postgresql.conf', "fsync = on\nsynchronous_commit = on\nautovacuum = off\n");
$node->start;
$node->safe_psql('postgres', 'CREATE EXTENSION xsell');
$node->safe_psql('postgres', '\i test/data/small_bank.sql');
$node->safe_psql('postgres', "UPDATE xsell.agent SET learning = 'online'; DELETE FROM xsell.cap");

# A client's script, and what it prints once the server has answered:
# "d ID" decision committed, "r ID" outcome committed, "x ID" decision rolled back.
sub script
{
	my ($client, $round) = @_;
	my $decide = 'SELECT coalesce(max(d.decision_id), 0) AS id, count(d.product) > 0 AS offered '
	  . "FROM customers c, xsell_decide(c, channel => 'web') d WHERE c.id =";
	my @script = ('\set ON_ERROR_STOP on');
	for my $i (1 .. 20000)
	{
		my $customer = 1 + ($i * 7 + $client * 500 + $round * 131) % 500 + $client * 500;
		if ($i % 10 == 0)
		{
			push @script, 'BEGIN;', "$decide $customer \\gset", 'ROLLBACK;', '\echo x :id';
			next;
		}
		push @script, "$decide $customer \\gset", '\echo d :id';
		push @script, '\if :offered', "SELECT xsell_reward(:id, 'conversion') AS said \\gset", '\echo r :id :said', '\endif'
		  if $i % 3 == 0;
	}
	return join("\n", @script) . "\n";
}

# The postmaster and all its children, at once
sub kill_server
{
	my $postmaster = $node->{_pid};
	my @children = split ' ', `ps -o pid= --ppid $postmaster`;
	kill 'KILL', $postmaster, @children;
	$node->{_pid} = undef;
	for (1 .. 500)
	{
		last unless grep { kill 0, $_ } $postmaster, @children;
		usleep(10_000);
	}
	return scalar @children;
}

my %told = (d => {}, r => {}, x => {});
for my $round (1 .. $ROUNDS)
{
	my @clients;
	for my $client (0 .. $CLIENTS)
	{
		# the last one only learns
		my $script = $client < $CLIENTS ? script($client, $round)
		  : "\\set ON_ERROR_STOP on\n" . "SELECT count(*) FROM xsell_learn() \\gset\n" x 100000;
		my $file = $node->basedir . "/client_$client.sql";
		append_to_file($file . ".$round", $script);
		my ($out, $err) = ('', '');
		my $run = IPC::Run::start([ 'psql', '-XqAt', '-d', $node->connstr('postgres'), '-f', "$file.$round" ], '>', \$out, '2>', \$err);
		push @clients, { run => $run, out => \$out, err => \$err };
	}
	my $until = time + 3;
	while (time < $until) { $_->{run}->pump_nb for @clients; usleep(50_000); }
	cmp_ok(kill_server(), '>', $CLIENTS, "round $round: the server and its backends are killed");
	for (@clients)
	{
		eval { $_->{run}->finish };
		$told{$1}{$2} = 1 while ${ $_->{out} } =~ /^([drx]) (\d+)/mg;
	}
	cmp_ok(scalar(grep { ${ $_->{err} } =~ /server closed the connection|terminating connection|connection to server was lost/ } @clients),
		'==', $CLIENTS + 1, "round $round: every client lost its connection, and did nothing wrong before");
	$node->start;
}

sub lines { return map { $_ => 1 } split /\n/, $node->safe_psql('postgres', shift) }
my %decision = lines('SELECT decision_id FROM xsell.decision');
my %outcome = lines('SELECT decision_id FROM xsell.outcome');
diag(sprintf('%d decisions, %d outcomes, %d rollbacks were reported', map { scalar keys %{ $told{$_} } } qw(d r x)));

cmp_ok(scalar keys %{ $told{d} }, '>', 100, 'there was a load');
is(scalar(grep { !$decision{$_} } keys %{ $told{d} }), 0, 'every decision that was reported is logged');
is(scalar(grep { !$outcome{$_} } keys %{ $told{r} }), 0, 'every outcome that was reported is recorded');
is(scalar(grep { $decision{$_} } keys %{ $told{x} }), 0, 'none that was rolled back is');
is($node->safe_psql('postgres', q{
	SELECT count(*) FROM xsell.decision d WHERE product IS NOT NULL
	   AND NOT EXISTS (SELECT FROM xsell.contact c WHERE c.customer_key = d.customer_key AND d.decision_id = ANY (c.decision_id))
	   AND decision_id = (SELECT max(decision_id) FROM xsell.decision x WHERE x.customer_key = d.customer_key AND x.product IS NOT NULL)}),
	0, 'and each customer\'s last offer is a contact');

# what the crashes left behind, then with the rest learned
for my $when ('as the crash left it', 'after xsell_learn')
{
	is($node->safe_psql('postgres', q{
		SELECT count(*) - count(DISTINCT decision_id) FROM xsell.experience WHERE previous IS NULL}), 0, "$when: nothing was folded twice");
	is($node->safe_psql('postgres', q{
		SELECT count(*) FROM xsell.evidence e
		  FULL JOIN xsell_rebuild_evidence('retail') r USING (product, encoding, bucket, source)
		 WHERE (e.beta = r.beta AND e.glm = r.glm AND e.score = r.score AND e.harm = r.harm) IS NOT TRUE}), 0, "$when: evidence equals its rebuild");
	$node->safe_psql('postgres', 'SELECT xsell_learn()');
}
is($node->safe_psql('postgres', q{
	SELECT count(*) FROM xsell.decision d
	  LEFT JOIN (SELECT decision_id, sum(reward - coalesce(previous, 0)) AS reward FROM xsell.experience GROUP BY 1) e USING (decision_id)
	 WHERE product IS NOT NULL
	   AND e.reward IS DISTINCT FROM coalesce((SELECT max(reward) FROM xsell.outcome o WHERE o.decision_id = d.decision_id), 0)}),
	0, 'every offer was learned, with its outcome');

$node->stop;
done_testing();
