# The server is killed while rewards are recorded, taken in and learned: one by one,
# in bulk by two learners at once, and by the background worker. Clients do not know
# what became of what they had sent, and send it again. Each event is recorded and
# learned exactly once; what must have been learned follows from what the clients sent.
# Then transactions that others learn past: prepared ones, and a long one.
use strict;
use warnings;

use IPC::Run;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(usleep);

my $SECONDS = 2.5;

my $node = PostgreSQL::Test::Cluster->new('learning_crash');
$node->init;
$node->append_conf('postgresql.conf', "fsync = on\nsynchronous_commit = on\nautovacuum = off\nmax_prepared_transactions = 10\n");
$node->start;

sub sql { return $node->safe_psql('postgres', shift) }
sub rows { return map { [ split /\|/ ] } split /\n/, sql(shift) }

sql('CREATE EXTENSION xsell');
sql('\i test/data/small_bank.sql');
sql("DELETE FROM xsell.cap; UPDATE xsell.channel SET observation_window = '1 day'");
sql(q{INSERT INTO xsell.outcome_kind (agent, outcome, reward, harm, delivery, reverses) VALUES
	('retail', 'click', 0.25, 0, NULL, NULL), ('retail', 'complaint', 0, 1, NULL, NULL), ('retail', 'cancelled', 0, 0, NULL, 'conversion'),
	('retail', 'reinstated', 0, 0, NULL, 'cancelled'), ('retail', 'bounced', 0, 0, 'undelivered', NULL)});
my @kinds = qw(conversion click cancelled complaint reinstated bounced);

# ------------------------------------------------------------------- clients --

# What a client said of an event: sent (not known what became of it), or told.
my (%sent, %told, @unsure);
my $events = 0;

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
}

# Events about the decisions given; each comes as "DECISION OUTCOME EVENT".
sub new_events
{
	my ($number, @decisions) = @_;
	return map { join ' ', $decisions[ ($_ * 37) % @decisions ], $kinds[ $_ * 7 % 11 % @kinds ], 'e' . ++$events } 1 .. $number;
}

sub reward_script
{
	return map {
		my ($decision, $outcome, $event) = split / /;
		("\\echo s $_", "SELECT xsell_reward($decision, '$outcome', event_id => '$event') AS said \\gset", "\\echo t $_ :said")
	} @_;
}

# Some at a time, then takes in whatever is there.
sub intake_script
{
	my @script;
	while (my @some = splice @_, 0, 10)
	{
		push @script, map { "\\echo s $_" } @some;
		push @script, 'INSERT INTO xsell.intake (decision_id, outcome, event_id) VALUES ' . join(', ', map { my @e = split / /; "($e[0], '$e[1]', '$e[2]')" } @some) . ';';
		push @script, map { "\\echo t $_ accepted" } @some;
		push @script, 'SELECT recorded FROM xsell_take_in(50) \gset';
	}
	return @script;
}

sub start_client
{
	my ($name, @script) = @_;
	my $file = $node->basedir . "/$name.sql";
	append_to_file($file, join("\n", '\set ON_ERROR_STOP on', @script) . "\n");
	my ($out, $err) = ('', '');
	return {
		name => $name, out => \$out, err => \$err,
		run => IPC::Run::start([ 'psql', '-XqAt', '-d', $node->connstr('postgres'), '-f', $file ], '>', \$out, '2>', \$err)
	};
}

sub hear
{
	my $client = shift;
	eval { $client->{run}->finish };
	while (${ $client->{out} } =~ /^([st]) (\d+ \w+ \w+)(?: (\w+))?$/mg)
	{
		if ($1 eq 's') { $sent{$2} = 1 }
		else { push @{ $told{$2} }, $3 }
	}
}

# -------------------------------------------------------------------- rounds --

my $worker = sql("SELECT count(*) FROM pg_proc WHERE proname = 'xsell_worker_start'");
my @rounds = ([ 'online', 0 ], [ 'deferred', 2 ], $worker ? [ 'background', 0 ] : [ 'online', 1 ]);
sql(q{SELECT count(xsell_decide(c, channel => 'web')) FROM customers c WHERE id <= 500});

for my $round (0 .. $#rounds)
{
	my ($learning, $learners) = @{ $rounds[$round] };
	my $which = "round $round ($learning)";
	sql("UPDATE xsell.agent SET learning = '$learning'");
	sql('SELECT xsell_worker_start()') if $learning eq 'background';
	my @decisions = map { $_->[0] } rows('SELECT decision_id FROM xsell.decision WHERE product IS NOT NULL ORDER BY decision_id DESC LIMIT 400');

	# again what is not known to have arrived, by another client if it comes to that, and the last that has
	my @again = (@unsure, (sort grep { $told{$_} } keys %sent)[ 0 .. 20 ]);
	@again = grep { defined } @again;
	my @clients = (
		start_client("rewards_a$round", reward_script(@again, new_events(15000, @decisions))),
		start_client("rewards_b$round", reward_script(reverse(@again), new_events(15000, @decisions))),
		start_client("intake$round", intake_script(@again, new_events(15000, @decisions))),
		start_client("decider$round", map { "SELECT count(xsell_decide(c, channel => 'web')) FROM customers c WHERE id = " . (500 + ($_ * 7 + $round * 131) % 1500) . ' \gset' } 1 .. 20000),
		map { start_client("learner$_$round", ('SELECT count(*) FROM xsell_learn() \gset') x 50000) } 1 .. $learners);
	my $until = time + $SECONDS;
	while (time < $until) { $_->{run}->pump_nb for @clients; usleep(50_000); }
	kill_server();
	hear($_) for @clients;
	is(join(' ', map { $_->{name} } grep { ${ $_->{err} } !~ /server closed the connection|terminating connection|connection to server was lost/ } @clients),
		'', "$which: every client lost its connection, and did nothing wrong before");
	diag("$_->{name}: ${ $_->{err} }") for grep { ${ $_->{err} } =~ /ERROR|deadlock/ } @clients;
	$node->start;

	is(sql(q{SELECT count(*) - count(DISTINCT decision_id) FROM xsell.experience WHERE previous_weight IS NULL}), 0, "$which: nothing was folded twice");
	is(wrong_evidence(), 0, "$which: evidence equals its rebuild");
	@unsure = grep { !$told{$_} } sort keys %sent;
}

sub wrong_evidence
{
	return sql(q{SELECT (SELECT count(*) FROM xsell.evidence e FULL JOIN xsell_rebuild_evidence('retail') r USING (product, encoding, source, bucket)
		WHERE (e.beta = r.beta AND e.glm = r.glm AND e.score = r.score AND e.harm = r.harm) IS NOT TRUE)});
}

# Until everything that is settled has been learned; the worker, if it is there, may be at it.
sub learn_all
{
	sql(q{UPDATE xsell.agent SET learning = 'deferred'});
	for (1 .. 100)
	{
		my ($learned) = rows('SELECT coalesce(sum(decisions + corrections), 0), min(model_version) FROM xsell_learn()');
		return if $learned->[0] == 0 && $_ > 1;
		usleep(20_000);
	}
}

# --------------------------------------------------------------- the reckoning --

# What is not known to have arrived is sent once more, and some of the rest, which is known.
{
	my $n = 0;
	my @all = (@unsure, grep { $told{$_} && $n++ % 10 == 0 } sort keys %sent);
	my $client = start_client('at_last', reward_script(@all));
	$client->{run}->finish;
	my %said = ${ $client->{out} } =~ /^t (\d+ \w+ \w+) (\w+)$/mg;
	cmp_ok(scalar keys %sent, '>', 300, scalar(keys %sent) . ' events were sent');
	is(scalar keys %said, scalar @all, 'all are answered when sent once more');
	sql('SELECT * FROM xsell_take_in()');
	my %in_intake = map { $_ => 1 } grep { $told{$_} && !grep { $_ ne 'accepted' } @{ $told{$_} } } @all;
	is(join(', ', grep { $told{$_} && !$in_intake{$_} && $said{$_} ne 'duplicate' } @all), '', 'whatever was reported as recorded was there');
	is(sql('SELECT count(*) FROM xsell.intake'), 0, 'nothing is left to be taken in');
	is(sql('SELECT count(*) FROM xsell.dangling'), 0, 'nothing dangles');
}

# What counts of what was sent, by the clients' logs alone
my (%outcomes, %twice);
for (keys %sent)
{
	my ($decision, $outcome, $event) = split / /;
	$outcomes{$decision}{$outcome} = 1;
}
my $expected = '';
for my $decision (sort { $a <=> $b } keys %outcomes)
{
	my %is = %{ $outcomes{$decision} };
	delete $is{cancelled} if $is{reinstated};
	delete $is{conversion} if $is{cancelled};
	my $weight = %is && !grep({ $_ ne 'bounced' } keys %is) ? 0 : 1;
	my $reward = $is{conversion} ? 1 : $is{click} ? 0.25 : 0;
	$expected .= join('|', $decision, $weight, $reward, $is{complaint} ? 1 : 0) . "\n";
}
chomp $expected;
learn_all();
is(sql('SELECT decision_id, outcome FROM xsell.outcome ORDER BY decision_id, outcome COLLATE "C"'),
	join("\n", map { my $d = $_; map { "$d|$_" } sort keys %{ $outcomes{$d} } } sort { $a <=> $b } keys %outcomes), 'each outcome sent is recorded, once, and no other');
is(sql(q{SELECT decision_id, weight, reward, harm FROM (SELECT DISTINCT ON (decision_id) * FROM xsell.experience ORDER BY decision_id, model_version DESC) e
	WHERE decision_id IN (SELECT decision_id FROM xsell.outcome) ORDER BY 1}), $expected, 'and counts as it must');
is(sql(q{SELECT count(*) FROM (SELECT DISTINCT ON (decision_id) * FROM xsell.experience ORDER BY decision_id, model_version DESC) e
	WHERE decision_id NOT IN (SELECT decision_id FROM xsell.outcome) AND (weight, reward, harm) <> (1, 0, 0)}), 0, 'all others are zeros');
is(sql(q{SELECT count(*) FROM xsell.decision d WHERE product IS NOT NULL AND (SELECT count(*) FROM xsell.experience e WHERE e.decision_id = d.decision_id AND previous_weight IS NULL) <> 1}),
	0, 'every offer is learned once');
is(wrong_evidence(), 0, 'evidence equals its rebuild');

# ------------------------------------------ transactions that others learn past --

# Others decide, are rewarded and learn; then the server is killed.
sub go_on
{
	my $customer = shift;
	sql("SELECT xsell_reward(d.decision_id, 'click') FROM customers c, xsell_decide(c, channel => 'web') d WHERE c.id BETWEEN $customer AND $customer + 20 AND d.product IS NOT NULL");
	sql('SELECT * FROM xsell_learn()');
	sql('SELECT * FROM xsell_learn()');
}

sub experience { return sql("SELECT weight, reward, harm FROM xsell.experience WHERE decision_id = $_[0] ORDER BY model_version") }

for my $learning ('deferred', 'online')
{
	my $first = $learning eq 'online' ? 1200 : 1000;
	my @customers = map { $_->[0] } rows("SELECT id FROM customers WHERE id BETWEEN $first AND $first + 9 AND age >= 20 ORDER BY id LIMIT 3");
	sql("UPDATE xsell.agent SET learning = '$learning'");
	my $known = sql("SELECT d.decision_id FROM customers c, xsell_decide(c, channel => 'web') d WHERE c.id = $customers[0] AND d.product IS NOT NULL");
	sql('SELECT * FROM xsell_learn()');
	is(experience($known), '1|0|0', "$learning: an offer is a zero");

	# decided and rewarded in transactions that are prepared
	my $decided = sql("BEGIN; SELECT d.decision_id FROM customers c, xsell_decide(c, channel => 'web') d WHERE c.id = $customers[1]; PREPARE TRANSACTION 'decides'");
	my $answer = sql("BEGIN; SELECT xsell_reward($known, 'conversion', event_id => 'prepared $learning'); PREPARE TRANSACTION 'rewards'");
	is($answer, 'recorded', "$learning: a reward is recorded in a transaction that is prepared");

	# and in one that takes long
	my $long = $node->background_psql('postgres');
	$long->query('BEGIN');
	my $slow = $long->query("SELECT d.decision_id FROM customers c, xsell_decide(c, channel => 'web') d WHERE c.id = $customers[2]");

	go_on($first + 10);
	is(experience($known), '1|0|0', "$learning: what is not committed is not learned");
	is(sql("SELECT count(*) FROM xsell.experience WHERE decision_id IN ($decided, $slow)"), 0, "$learning: nor passed");
	is(wrong_evidence(), 0, "$learning: evidence equals its rebuild");

	$long->query('COMMIT');
	$long->quit;
	kill_server();
	$node->start;
	go_on($first + 40);
	sql(q{COMMIT PREPARED 'decides'});
	go_on($first + 70);
	sql(q{COMMIT PREPARED 'rewards'});
	is(sql("SELECT xsell_reward($known, 'conversion', event_id => 'prepared $learning')"), 'duplicate', "$learning: a repeat after the commit knows the event");
	is(sql("SELECT xsell_reward($decided, 'click') || xsell_reward($slow, 'complaint')"), 'recordedrecorded', "$learning: what was decided there earns rewards");
	learn_all();
	is(experience($known), "1|0|0\n1|1|0", "$learning: the reward replaces its zero once it is committed");
	is(sql("SELECT count(*), count(*) FILTER (WHERE previous_weight IS NULL) FROM xsell.experience WHERE decision_id IN ($decided, $slow)") =~ /^\d\|2$/ ? 1 : 0, 1, "$learning: decisions are learned once they are committed");
	is(sql(q{SELECT count(*) FROM xsell.decision d WHERE product IS NOT NULL AND (SELECT count(*) FROM xsell.experience e WHERE e.decision_id = d.decision_id AND previous_weight IS NULL) <> 1}),
		0, "$learning: every offer is learned once");
	is(wrong_evidence(), 0, "$learning: evidence equals its rebuild");
}

$node->stop;
done_testing();
