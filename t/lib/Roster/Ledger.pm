# Roster::Ledger: what clients wrote and read, with times, and whether an order of commits explains it.
#
#   my $ledger = Roster::Ledger->new($directory);
#   $ledger->note('W', 'person.1', 'a7', $begin, $end, 200, 'user_update');     # by each client, in a file of its own
#   my $history = Roster::Ledger::read_all($directory);
#   my @faults = Roster::Ledger::check($history);
#
# A line of a file is: what, register, value, begin, end, status, kind of request; separated by tabs. `-` is a register
# that nobody checks. Times are seconds of a clock that never jumps (Roster::Ledger::now).
#
#   W  a write of this value; status 200: it was acknowledged; any other: nobody knows whether it was carried out
#   R  the register had this value
#   N  it had any value but this
#   P  it had an even value (0), or an odd one (1)
#   -  nothing was learned: a reading that failed
#
# A register is something whose values are never written twice, but by one client again and again until it is
# acknowledged. Two models: in a register with readings P one client writes 1, 2, 3, …; any other may have many writers.
# Each begins with the value 0.
package Roster::Ledger;
use v5.36;

use Time::HiRes ();

# A write that was not acknowledged may be carried out as long as anybody may still be at it.
my $NEVER = 9e99;

sub now () { return Time::HiRes::clock_gettime(Time::HiRes::CLOCK_MONOTONIC()) }

sub new ($class, $directory) {
    mkdir $directory;
    return bless {directory => $directory}, $class;
}

sub note ($self, @fields) {
    my $out = $self->{out}{$$} //= do {
        open my $handle, '>>', "$self->{directory}/$$" or die "$self->{directory}/$$: $!\n";
        $handle->autoflush(1);
        $handle;
    };
    print {$out} join("\t", @fields), "\n";
    return;
}

# All lines, as arrays, in the order of their ends.
sub read_all ($directory) {
    my @lines;
    for my $file (glob "$directory/*") {
        open my $in, '<', $file or die "$file: $!\n";
        while (my $line = <$in>) {
            chomp $line;
            push @lines, [split /\t/, $line];
        }
    }
    return [sort { $a->[4] <=> $b->[4] } @lines];
}

# What cannot be explained: {register, at, text, kind}; kind is `lost' where the last reading of all (truth) does not show
# an acknowledged write, and `at' is when that was acknowledged; else `stale', and `at' is when it was read.
sub check ($history) {
    my %lines;
    push @{$lines{$_->[1]}}, $_ for grep { $_->[0] ne '-' && $_->[1] ne '-' } @$history;
    my @faults;
    for my $register (sort keys %lines) {
        my $is_series = grep { $_->[0] eq 'P' } @{$lines{$register}};
        push @faults,
            $is_series ? check_series($register, $lines{$register}) : check_values($register, $lines{$register});
    }
    return sort { $a->{at} <=> $b->{at} } @faults;
}

sub fault ($register, $line, $text, $written = undef) {
    my $kind = $line->[6] eq 'truth' ? 'lost' : 'stale';
    return {
        register => $register,
        at => $kind eq 'lost' ? $written // $line->[4] : $line->[4],
        kind => $kind,
        text => sprintf '%s: %s (%s from %.4f to %.4f)',
        $register, $text, $line->[6], @$line[3, 4]
    };
}

# Of each value: when writing it began, when it was acknowledged, when it was first known to be there, and last.
sub values_of ($lines) {
    my %value = (0 => {begun => -1, done => -1, first => -1, last => -1});
    for my $line (grep { $_->[0] eq 'W' } @$lines) {
        my (undef, undef, $name, $begin, $end, $status) = @$line;
        my $known = $value{$name} //= {begun => $begin, done => $NEVER};
        $known->{begun} = $begin if $begin < $known->{begun};
        $known->{done} = $end if $status == 200 && $end < $known->{done};
        $known->{line} = $line;
    }
    return \%value;
}

# Many writers, no value twice (Gibbons and Korach, Testing Shared Memories, 1997). All that is known of a value gives it
# a zone: from the first end of an operation with it to the last begin of one. Where the end comes before the begin, the
# register had this value all that time: no two of these zones may overlap. Else the value was there at some moment of
# the zone, which may lie within no zone of the first kind.
sub check_values ($register, $lines) {
    my $values = values_of($lines);
    my @faults;
    for my $value (values %$values) { @$value{qw(first last)} = @$value{qw(done begun)} }
    for my $line (grep { $_->[0] eq 'R' } @$lines) {
        my $value = $values->{$line->[2]};
        if (!$value || $line->[4] < $value->{begun}) {
            push @faults, fault($register, $line, "$line->[2] was read before anybody wrote it");
            next;
        }
        $value->{first} = $line->[4] if $line->[4] < $value->{first};
        if ($line->[3] >= $value->{last}) { @$value{qw(last line)} = ($line->[3], $line) }
    }
    my (@held, @moments);
    for my $name (sort keys %$values) {
        my $value = $values->{$name};
        next if $value->{first} == $NEVER;    # never acknowledged, and never seen
        $value->{name} = $name;
        if ($value->{first} < $value->{last}) { push @held, $value }
        else { push @moments, $value }
    }
    @held = sort { $a->{first} <=> $b->{first} } @held;
    for my $i (1 .. $#held) {
        my ($before, $after) = @held[$i - 1, $i];
        next if $before->{last} <= $after->{first};
        my $later = $before->{last} > $after->{last} ? $before : $after;
        my $other = $later == $before ? $after : $before;
        push @faults,
            fault($register, $later->{line}, "$later->{name} was read, and $other->{name} before and behind it",
            $other->{done});
    }
    for my $moment (@moments) {
        my ($at, $until) = @$moment{qw(last first)};
        my $around = last_before(\@held, $at);
        next if !$around || $around->{last} <= $until;
        push @faults,
            fault($register, $around->{line}, "$around->{name} was read, after $moment->{name} was written",
            $moment->{done});
    }
    push @faults, check_absent($register, $values, $lines);
    return @faults;
}

# The last of these zones, which are sorted, that begins before $at.
sub last_before ($zones, $at) {
    my ($low, $high) = (0, scalar @$zones);
    while ($low < $high) {
        my $middle = int(($low + $high) / 2);
        if ($zones->[$middle]{first} < $at) { $low = $middle + 1 }
        else { $high = $middle }
    }
    return $low ? $zones->[$low - 1] : undef;
}

# Readings that tell which value it was not.
sub check_absent ($register, $values, $lines) {
    my @faults;
    for my $line (grep { $_->[0] eq 'N' } @$lines) {
        my (undef, undef, $name, $begin, $end) = @$line;
        my $value = $values->{$name} or next;
        next if $value->{first} >= $begin || $value->{last} <= $end;
        push @faults, fault($register, $line, "$name was not found, while it was there");
    }
    return @faults;
}

# One writer, and readings that tell a value, or whether it is odd. Each reading takes the least value that it may have:
# none below what was acknowledged before it began, or what a reading before it had; none above what was begun.
sub check_series ($register, $lines) {
    my $values = values_of($lines);
    my @acknowledged = sort { $values->{$a}{done} <=> $values->{$b}{done} } keys %$values;
    my (@open, @faults);
    my $floor = 0;
    for my $line (sort { $a->[3] <=> $b->[3] } grep { $_->[0] =~ /[RP]/ } @$lines) {
        my ($what, undef, $read, $begin, $end) = @$line;
        while (@acknowledged && $values->{$acknowledged[0]}{done} <= $begin) {
            my $number = shift @acknowledged;
            $floor = $number if $number > $floor;
        }
        for my $reading (grep { $_->[0] < $begin } @open) {
            $floor = $reading->[1] if $reading->[1] > $floor;
        }
        @open = grep { $_->[0] >= $begin } @open;
        my $value = $floor;
        $value++ while $values->{$value} && ($what eq 'R' ? $value != $read : $value % 2 != $read);
        if ($values->{$value} && $values->{$value}{begun} <= $end) { push @open, [$end, $value] }
        else {
            push @faults,
                fault($register, $line, "$what $read was read, when $floor was known before", $values->{$floor}{done});
        }
    }
    return @faults;
}

1;
