# Mutated text and binary forms of xsell_beta, xsell_glm and xsell_score: each is
# read as a valid state or refused with an error that names the type, and the
# server stays up.
use strict;
use warnings;

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $seed = $ENV{XS_SEED} // 20240101;
srand($seed);
note "XS_SEED=$seed";

my $node = PostgreSQL::Test::Cluster->new('types_input');
$node->init;
$node->append_conf('postgresql.conf', 'restart_after_crash = off');
$node->start;
$node->safe_psql('postgres', 'CREATE EXTENSION xsell');
my $directory = PostgreSQL::Test::Utils::tempdir();

my %text = (
	xsell_beta => [
		'{"n":3,"trials":50331648,"successes":16777216}',
		'{"n":9223372036854775807,"trials":9223372036854775807,"successes":0}' ],
	xsell_glm => [
		'{"link":"logit","dim":1,"n":1,"trials":16777216,"successes":0,"shift":[-8388608],"precision":[4194304]}',
		'{"link":"identity","dim":2,"n":2,"trials":5,"successes":-5,"shift":[-9223372036854775808,9223372036854775807],"precision":[1,-2,3]}' ],
	xsell_score => [
		'{"n":2,"trials":33554432,"successes":16777216,"prior":[2,0,33554432,16777216,16777216,23258160,8388608,-11629080],"global":[1,1,16777216,0,8388608,11629080,4194304,0],"segment":[0,2,0,0,0,0,0,0],"contextual":[0,0,0,0,0,0,0,0]}',
		'{"n":9223372036854775807,"trials":9223372036854775807,"successes":0,"prior":[1,9223372036854775806,0,0,0,0,0,0],"global":[9223372036854775807,0,9223372036854775807,0,9223372036854775807,9223372036854775807,9223372036854775807,-9223372036854775808],"segment":[0,0,0,0,0,0,0,0],"contextual":[0,0,0,0,0,0,0,0]}' ]);

# A few random edits.  Text: of characters that the form uses, and some it does not.
sub mutated
{
	my ($value, $alphabet) = @_;
	for (0 .. int(rand(3)))
	{
		my $at = int(rand(length($value) + 1));
		my $any = substr($alphabet, int(rand(length $alphabet)), 1);
		my $kind = int(rand(6));
		if ($kind == 0) { substr($value, $at, 0) = $any; }
		elsif ($kind == 1) { substr($value, $at, 1) = $any if $at < length $value; }
		elsif ($kind == 2) { substr($value, $at, 1 + int(rand(4))) = '' if $at < length $value; }
		elsif ($kind == 3) { $value = substr($value, 0, $at); }
		elsif ($kind == 4) { substr($value, $at, 0) = substr($value, int(rand(length($value) + 1)), 12); }
		else { substr($value, $at, 0) = $any x int(rand(40)); }
	}
	return $value;
}

# Runs "command, then what became of it" for many; returns [error?, code, message] of each.
sub outcomes
{
	my @commands = @_;
	my $script = join '', map { "$_\n\\echo\n\\echo outcome :ERROR :SQLSTATE :LAST_ERROR_MESSAGE\n" } @commands;
	my ($status, $out, $err) = $node->psql('postgres', $script, on_error_stop => 0);
	my @all;
	while ($out =~ /^outcome (true|false) (\S+) ?(.*)$/mg) { push @all, [ $1 eq 'true', $2, $3 ]; }
	return @all;
}

# Says whether each was read or refused by name, and that both happened.
sub judge
{
	my ($what, $type, $code, $inputs, @all) = @_;
	my ($read, $refused, @bad) = (0, 0);
	is(scalar @all, scalar @$inputs, "$what: the server answered every input");
	for my $i (0 .. $#all)
	{
		my ($error, $state, $message) = @{ $all[$i] };
		if (!$error) { $read++; }
		elsif ($state eq $code && $message =~ /\b$type\b/) { $refused++; }
		else { push @bad, "$state $message: $inputs->[$i]"; }
	}
	is(scalar @bad, 0, "$what: each input is read, or refused by an error that names $type")
	  or diag join("\n", grep { defined } @bad[ 0 .. 9 ]);
	cmp_ok($read, '>', 0, "$what: some inputs were read");
	cmp_ok($refused, '>', 0, "$what: some inputs were refused");
}

for my $type (sort keys %text)
{
	my @inputs;
	for my $value (@{ $text{$type} })
	{
		push @inputs, $value, map { mutated($value, '{}[]",:-+.eE0123456789 nlitdmsu\\') } 1 .. 1500;
	}
	# What is read must be written and read again as the same
	my @commands = map { "SELECT 1 / (s::text::$type = s)::int FROM (SELECT \$q\$$_\$q\$::$type AS s) v;" } @inputs;
	judge("text of $type", $type, '22P02', \@inputs, outcomes(@commands));
}

# One COPY BINARY file of one value
sub copy_file
{
	my ($name, $bytes) = @_;
	my $file = "$directory/$name";
	open my $handle, '>:raw', $file or die "$file: $!";
	print $handle "PGCOPY\n\377\r\n\0", pack('NN', 0, 0), pack('nN', 1, length $bytes), $bytes, pack('n', 0xffff);
	close $handle;
	return $file;
}

for my $type (sort keys %text)
{
	$node->safe_psql('postgres', "CREATE TABLE t_$type (s $type)");
	my (@inputs, @commands);
	for my $value (@{ $text{$type} })
	{
		my $bytes = pack 'H*', $node->safe_psql('postgres', "SELECT encode(${type}_send('$value'), 'hex')");
		my @mutants = ($bytes, map { mutated($bytes, join '', map { chr } 0 .. 255) } 1 .. 250);
		# Every single byte of the announced shape
		for my $at (0 .. 11) { push @mutants, map { my $b = $bytes; substr($b, $at, 1) = chr($_); $b } 0, 1, 2, 127, 255; }
		for my $mutant (@mutants)
		{
			push @inputs, unpack 'H*', $mutant;
			my $file = copy_file("$type." . scalar(@inputs), $mutant);
			push @commands, "COPY t_$type FROM '$file' (FORMAT binary);";
		}
	}
	judge("binary of $type", $type, '22P03', \@inputs, outcomes(@commands));
	is($node->safe_psql('postgres', "SELECT count(*) FROM t_$type WHERE s::text::$type <> s"),
		'0', "binary of $type: what was read is valid");
}

is($node->safe_psql('postgres', 'SELECT xsell_beta_agg(1)'),
	'{"n":1,"trials":16777216,"successes":16777216}', 'the server is up');
$node->stop;
done_testing();
