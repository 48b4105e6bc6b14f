#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
# Turns a recording of strace, or what SQL says of the database, into the same sorted lines, one per process:
#   its end, its images in order, the image that its parent had then; and one per failed exec.
#
#   oracle.pl strace <LOG     strace -f -q -xx -v -s 1000000 -e trace=process -o LOG
#   oracle.pl sql <LINES      of test-oracle.sh: process, parent, images of the parent by then, end, image...;
#                         tabs between, strings in hex
#
# Names that compilers and cmake make up at random are made equal. Not here: processes outside of the tree.
use strict;
use warnings;

my (%parent, %before, %images, %end, %thread, @failed, %unfinished);

# "\x63\x63" or 6363 -> cc, printable.
sub text {
	my $hex = join '', $_[0] =~ /([0-9a-fA-F]{2})/g;
	my $bytes = pack 'H*', $hex;
	$bytes =~ s{/cc[A-Za-z0-9]{6}\b}{/ccXXXXXX}g;
	$bytes =~ s{cmTC_[0-9a-f]{5}}{cmTC_XXXXX}g;
	$bytes =~ s{TryCompile-[A-Za-z0-9]{6}}{TryCompile-XXXXXX}g;
	$bytes =~ s/([^!-~])/sprintf '%%%02x', ord $1/ge;
	return $bytes;
}

sub exec_call {
	my ($pid, $call) = @_;
	my $result = $call =~ /\)\s+= (\S+)( [A-Z0-9]+)?/ ? $1 . ($2 // '') : return;
	my ($file, $list) = $call =~ /^execve\("([^"]*)"(?:, \[(.*?)\])?,/ or return;
	my $args = join ' ', map { text($_) } ($list // '') =~ /"([^"]*)"/g;
	if ($result eq '0') {
		push @{$images{$pid}}, text($file) . " [$args]";
	} else {
		push @failed, 'FAILED ' . text($file) . ' ' . $result =~ s/.* //r;
	}
}

# PIDs come again: a process is a number of its own, found by its PID while it lives.
my (%living, %ended, $last);

sub process {
	my ($pid) = @_;
	return $living{$pid} //= ++$last;
}

# A child may have begun, and even ended, before the line that tells of its birth.
sub child {
	my ($pid) = @_;
	for my $id ($living{$pid}, $ended{$pid}) {
		return $id if defined $id && !exists $parent{$id} && !$thread{$id};
	}
	return process($pid);
}

sub call {
	my ($id, $call) = @_;
	return exec_call($id, $call) if $call =~ /^execve\(/;
	my ($pid) = $call =~ /^(?:clone3?|v?fork)\(.*\)\s+= (\d+)/ or return;
	my $child = child($pid);
	if ($call =~ /CLONE_THREAD/) {
		$thread{$child} = 1;
		return;
	}
	$parent{$child} = $id;
	$before{$child} = @{$images{$id} // []};
}

sub read_strace {
	while (<STDIN>) {
		chomp;
		my ($pid, $rest) = /^(\d+) +(.*)/ or next;
		my $id = process($pid);
		if ($rest =~ /^\+\+\+ (exited with (\d+)|killed by (\S+))/) {
			$end{$id} = defined $2 ? "exit $2" : "signal $3";
			$ended{$pid} = delete $living{$pid};
		} elsif ($rest =~ /^(.*) <unfinished \.\.\.>$/) {
			$unfinished{$id} = $1;
		} elsif ($rest =~ /^<\.\.\. \w+ resumed>(.*)$/) {
			call($id, delete($unfinished{$id}) . $1);
		} else {
			call($id, $rest);
		}
	}
}

sub read_sql {
	while (<STDIN>) {
		chomp;
		my ($id, $up, $count, $how, @list) = split /\t/;
		if ($id eq 'FAILED') {
			push @failed, 'FAILED ' . text($up) . " $count";
			next;
		}
		($parent{$id}, $before{$id}) = ($up, $count) if $up ne '';
		$end{$id} = $how;
		next unless @list;
		$images{$id} = [map { my ($file, @args) = split /,/; text($file) . ' [' . join(' ', map { text($_) } @args) . ']' } @list];
	}
}

# What a process ran after so many execs of its own: without any, what its parent ran when it was born.
sub image {
	my ($pid, $count) = @_;
	return $images{$pid}[$count - 1] if $count;
	return exists $parent{$pid} ? image($parent{$pid}, $before{$pid}) : '?';
}

my $mode = shift // '';
$mode eq 'strace' ? read_strace() : $mode eq 'sql' ? read_sql() : die "oracle.pl strace|sql\n";
my @lines = map {
	join "\t", $end{$_} // 'runs', join(' -> ', @{$images{$_} // ['forked']}), 'of ' . image($parent{$_}, $before{$_})
} keys %parent;
print "$_\n" for sort @lines, @failed;
