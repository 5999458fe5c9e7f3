# Bench::Cost: what requests cost: processor time, statements, commands of Redis, system calls, allocations, memory.
package Bench::Cost;
use v5.36;

use POSIX ();
use Time::HiRes ();

use Roster;

# ---- Processor time ----

our @KINDS = qw(nginx workers mariadb redis);

# Seconds of processor time so far, of all processes of the stack that run now: by kind.
sub processor ($stack) {
    my %kind = $stack->processes;
    my (%parent, %ticks);
    for my $file (glob '/proc/[0-9]*/stat') {
        open my $in, '<', $file or next;
        my $line = readline($in) // next;
        my ($pid, $parent, $user, $system) = $line =~ /^(\d+) \(.*\) \S (\d+) (?:-?\d+ ){9}(\d+) (\d+) / or next;
        $parent{$pid} = $parent;
        $ticks{$pid} = $user + $system;
    }
    my %seconds = map { ($_ => 0) } @KINDS;
    for my $pid (keys %ticks) {
        my $first = $pid;
        $first = $parent{$first} while $first && !$kind{$first};
        $seconds{$kind{$first}} += $ticks{$pid} / POSIX::sysconf(POSIX::_SC_CLK_TCK()) if $first;
    }
    return \%seconds;
}

# ---- Statements and commands ----

# MariaDB's and Redis's own counters. To read them counts as well: see counted.
sub counters ($roster) {
    my ($row) = $roster->sql("SHOW GLOBAL STATUS LIKE 'Questions'");
    my ($commands) = $roster->redis('INFO', 'stats') =~ /^total_commands_processed:(\d+)/m;
    return ($row->[1], $commands);
}

# How many statements and commands $code causes: the lesser of two counts, since workers ask something of their own now
# and then.
sub counted ($roster, $code) {
    my (@least, @before, @after);
    for (1, 2) {
        @before = counters($roster);
        $code->();
        @after = counters($roster);
        for my $place (0, 1) {
            my $count = $after[$place] - $before[$place];
            $least[$place] = $count if !defined $least[$place] || $count < $least[$place];
        }
    }
    my @own = counters($roster);
    return map { $least[$_] - ($own[$_] - $after[$_]) } 0, 1;
}

# ---- System calls ----

sub traced ($pid) {
    my $status = eval { Roster::Database::slurp("/proc/$pid/status") } // '';
    return $status =~ /^TracerPid:\s+[1-9]/m;
}

# The system calls of these processes while $code runs, by name; undef where strace can't have them.
sub system_calls ($directory, $pids, $code) {
    my $file = "$directory/strace";
    my $strace = eval { Roster::Database::find_program('strace') } // return undef;
    my $tracer = Roster::Process->start(
        'strace',
        [$strace, '-f', '-c', '-o', $file, map { ('-p', $_) } @$pids],
        log => "$directory/log/strace.log");
    my $attached = Roster::Process::wait_until(
        3,
        sub {
            !$tracer->running || !grep { !traced($_) } @$pids;
        });
    my $works = $attached && $tracer->running;
    $code->() if $works;
    $tracer->stop('INT', 10);
    return $works ? summary($file) : undef;
}

# The table of strace -c.
sub summary ($file) {
    my %calls;
    for my $line (split /\n/, Roster::Database::slurp($file)) {
        my ($calls, $name) = $line =~ /^\s*[\d.]+\s+[\d.]+\s+\d+\s+(\d+)(?:\s+\d+)?\s+(\w+)$/ or next;
        $calls{$name} = $calls if $name ne 'total';
    }
    return \%calls;
}

# ---- Allocations ----

sub counting_environment ($directory) {
    my $file = "$directory/allocations";
    Roster::Database::write_file($file, "\0" x 16);
    return {LD_PRELOAD => "$Roster::build/t/bench/allocations.so", ROSTER_BENCH_ALLOCATIONS => $file};
}

# How often memory was asked for, and how many bytes, by all that run in that environment.
sub allocations ($directory) { return unpack 'QQ', Roster::Database::slurp("$directory/allocations") }

# ---- Memory ----

# KB; undef where the kernel does not say.
sub pss ($pid) {
    my $text = eval { Roster::Database::slurp("/proc/$pid/smaps_rollup") } // return undef;
    return $text =~ /^Pss:\s+(\d+) kB/m ? $1 : undef;
}

# The memory of the identity table that is in use, in KB: the largest piece of memory that roster's processes share, in
# the parts that the kernel counts for each of them.
sub table_memory ($stack) {
    my $roster = $stack->roster;
    my %sum;
    for my $pid ($roster->process('roster')->pid, $roster->workers) {
        my $text = eval { Roster::Database::slurp("/proc/$pid/smaps") } // next;
        $sum{$1} += $2
            while $text =~ m{^\S+ rw-s .* /dev/zero \(deleted\)\nSize:\s+(\d+) kB\n(?:.*\n)*?Pss:\s+(\d+) kB}mg;
    }
    my ($largest) = sort { $b <=> $a } keys %sum;
    return defined $largest ? $sum{$largest} : undef;
}

# The proportional set size of each kind of process, in KB: {name, count, median, greatest}.
sub memory ($stack) {
    my $roster = $stack->roster;
    my %pids = (
        'roster: master' => [$roster->process('roster')->pid],
        (map { ("roster: $_ worker" => [$roster->workers($_)]) } @Roster::POOLS),
        'nginx worker' => [$roster->process('nginx')->children],
        map { ($_ => [$roster->process($_)->pid]) } qw(mariadb redis));
    for my $name (grep { /^(?:floor-|peer$|plain$)/ } keys %{$roster->{process}}) {
        $pids{"$name worker"} = [$roster->process($name)->children];
    }
    my @rows;
    for my $name (sort keys %pids) {
        my @sizes = sort { $a <=> $b } grep { defined } map { pss($_) } @{$pids{$name}};
        push @rows, {name => $name, count => scalar @sizes, median => $sizes[$#sizes / 2], greatest => $sizes[-1]}
            if @sizes;
    }
    return \@rows;
}

1;
