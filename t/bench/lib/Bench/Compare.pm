# Bench::Compare: Roster beside the floors and peer.php, in turn in the same run.
package Bench::Compare;
use v5.36;

use Bench::Cost;
use Bench::Load;
use Bench::SignIns;
use Bench::Stack;
use Bench::Start;
use Bench::Targets;
use Bench::Wanted;
use Roster::Bench;

# One connection is asked for fewer rounds: its figures differ little from round to round.
my $FEWER = 3;

# How many requests the memory of a worker is looked at after, with `long`.
my $MANY = 1_000_000;

# Options: users, workers, seconds, rounds, connections (list), only (pattern), sign_in, long, quiet.
# {targets, memory, requests, start, reload, wanted, notes}: each target with loads, costs, ratios.
sub run (%option) {
    my $result;
    Bench::Stack::with(
        sub ($stack) { $result = compare_all($stack, %option) },
        users => $option{users},
        changing => 1,
        workers => $option{workers},
        pool => 128);
    return $result;
}

sub compare_all ($stack, %option) {
    $stack->start_others;
    my @all = Bench::Targets::all($stack, %option);
    my @targets = chosen($option{only}, @all);
    prepare($stack, $_) for @targets;
    measure($stack, \@targets, %option);
    compare(\@targets, @{$option{connections}});
    progress('sign-ins', %option);
    my ($verify) = grep { $_->{key} eq 'verify' } @targets;
    my $sign_ins = $verify && Bench::SignIns::measure($stack, $verify);
    progress(undef, %option);
    ask_for_many($stack, \@targets) if $option{long};
    my $memory = Bench::Cost::memory($stack);
    my $table = Bench::Cost::table_memory($stack);
    count($stack, $_) for @targets;
    my %start = defined $option{only} ? () : start_and_reload($stack, %option, targets => \@targets);
    count_allocations($stack, @targets);
    my %result = (
        targets => [map { printable($_) } @targets],
        memory => $memory,
        table_kb => $table,
        requests => served(@targets),
        sign_ins => $sign_ins,
        %start,
        notes => [$stack->notes]);
    return {%result, wanted => [Bench::Wanted::of_comparison(\%result, @all)]};
}

sub start_and_reload ($stack, %option) {
    progress('start', %option);
    my $start = Bench::Start::starts($stack);
    progress('reload', %option);
    my ($users) = grep { $_->{key} eq 'users' } @{$option{targets}};
    my $reload = Bench::Start::reload($stack, $users);
    progress(undef, %option);
    return (start => $start, reload => $reload);
}

sub progress ($text, %option) {
    print STDERR "\r\e[K", $text // '' if !$option{quiet};
    return;
}

# How many requests Roster had been sent when its memory was looked at.
sub served (@targets) {
    my $sum = 0;
    for my $target (grep { $_->{process} eq 'roster' } @targets) {
        $sum += $_->{requests} for values %{$target->{loads}};
        $sum += $target->{many} // 0;
    }
    return $sum;
}

# Those whose key matches, and what they are compared with.
sub chosen ($only, @targets) {
    return @targets if !defined $only;
    my %wanted = map { ($_->{key} => 1, $_->{floor} // '' => 1) } grep { $_->{key} =~ $only } @targets;
    return grep { $wanted{$_->{key}} || $_->{key} =~ /^floor-(?:hello|user)$/ } @targets;
}

# Each is answered before anything is measured.
sub prepare ($stack, $target) {
    $target->{file} = $stack->directory . "/requests-$target->{key}";
    Bench::Load::write_requests($target->{file}, $target->{requests});
    Bench::Load::succeed($target->{port}, $target->{requests}, 20);
    check_peer($stack->roster, @{$target->{requests}[0]}[0 .. 2]) if $target->{key} eq 'peer';
    return;
}

# What peer.php answers is what Roster answers, so it does the same work.
sub check_peer ($roster, $method, $path, $token) {
    my ($theirs, $ours) = map {
        my $answer = $roster->request($method => $_, token => $token);
        JSON::PP->new->canonical->encode($answer->{json})
    } $path, $path =~ s{^/peer}{/users}r;
    $ours eq $theirs or die "peer.php answers\n$theirs\nand Roster\n$ours\n";
    return;
}

# ---- Speed ----

sub measure ($stack, $targets, %option) {
    my @connections = @{$option{connections}};
    load($stack, $_, $connections[$#connections / 2], 1) for @$targets;    # warms up, and is not counted
    for my $round (1 .. $option{rounds}) {
        for my $connections (grep { $_ > 1 || $round <= $FEWER } @connections) {
            progress("round $round of $option{rounds}, $connections connections", %option);
            push @{$_->{measured}{$connections}}, load($stack, $_, $connections, $option{seconds}) for @$targets;
        }
    }
    progress(undef, %option);
    for my $target (@$targets) {
        $target->{loads}{$_} = middle(@{$target->{measured}{$_}}) for @connections;
    }
    return;
}

# One load, with the processor time that it took. `warm`: so many seconds of requests before, which are not counted.
sub load ($stack, $target, $connections, $seconds) {
    Bench::Load::run($target->{port}, $target->{file}, 16, $target->{warm}) if $target->{warm};
    my $before = Bench::Cost::processor($stack);
    my $result =
        Bench::Load::run($target->{port}, $target->{file}, $connections, $target->{slow} ? 5 * $seconds : $seconds);
    my $after = Bench::Cost::processor($stack);
    $result->{processor} = {map { ($_ => $after->{$_} - $before->{$_}) } @Bench::Cost::KINDS};
    return $result;
}

# The medians of several loads; processor time in microseconds a request.
sub middle (@loads) {
    my ($requests, $errors) = (0, 0);
    $requests += $_->{requests}, $errors += $_->{errors} for @loads;
    my %middle = map {
        my $name = $_;
        ($name => median(map { $_->{$name} } @loads))
    } qw(rate p50 p99);
    $middle{spread} = median(map { $_->{p99} / $_->{p50} } @loads);
    $middle{points} = [
        map {
            my $point = $_;
            median(map { $_->{points}[$point] } @loads)
        } 0 .. $#Bench::Load::PARTS
    ];
    for my $kind (@Bench::Cost::KINDS) {
        my $seconds = 0;
        $seconds += $_->{processor}{$kind} for @loads;
        $middle{processor}{$kind} = $requests ? $seconds / $requests * 1e6 : 0;
        $middle{processor}{all} += $middle{processor}{$kind};
    }
    return {%middle, requests => $requests, errors => $errors};
}

# Asks a worker for as many requests as the memory that is wanted counts from.
sub ask_for_many ($stack, $targets) {
    my ($users) = grep { $_->{key} eq 'users' } @$targets;
    while ($users && (my $left = $MANY - served(@$targets)) > 0) {
        my $load = Bench::Load::run($stack->port, $users->{file}, 64, 10);
        $load->{requests} or die "nothing is answered: $left requests are left\n";
        $users->{many} += $load->{requests};
    }
    return;
}

# ---- Ratios ----

# To the floors: the median over the rounds, each against the floor's load in the same round.
sub compare ($targets, @connections) {
    my %by_key = map { ($_->{key} => $_) } @$targets;
    for my $target (@$targets) {
        my %other = (
            'of hello' => 'floor-hello',
            'of user' => 'floor-user',
            'of peer' => 'peer',
            'of its floor' => $target->{floor} // '');
        for my $connections (@connections) {
            for my $name (grep { $by_key{$other{$_}} } keys %other) {
                my @ours = @{$target->{measured}{$connections}};
                my @theirs = @{$by_key{$other{$name}}{measured}{$connections}};
                $target->{loads}{$connections}{ratios}{$name} =
                    median(map { $ours[$_]{rate} / ($theirs[$_]{rate} || 1) } 0 .. $#ours);
                $target->{loads}{$connections}{ratios}{"processor $name"} =
                    median(map { processor_of($ours[$_]) / (processor_of($theirs[$_]) || 1) } 0 .. $#ours);
            }
        }
    }
    return;
}

# Of a request, of all that serve it.
sub processor_of ($load) {
    my $seconds = 0;
    $seconds += $load->{processor}{$_} for @Bench::Cost::KINDS;
    return $load->{requests} ? $seconds / $load->{requests} : 0;
}

# ---- Costs ----

# How many requests are counted, of what is no hash.
my $REQUESTS = 100;

# Statements, commands and system calls of a request, where requests come one after another.
sub count ($stack, $target) {
    my $roster = $stack->roster;
    my $number = $target->{slow} ? $REQUESTS / 10 : $REQUESTS;
    my $send = sub { Bench::Load::succeed($target->{port}, $target->{requests}, $number) };
    my ($statements, $commands) = Bench::Cost::counted($roster, $send);
    $target->{costs} = {statements => $statements / $number, redis_commands => $commands / $number};
    my $calls = Bench::Cost::system_calls($stack->directory, [$stack->workers($target)], $send);
    return $stack->note('system calls are left out: strace is not there, or may not trace') if !$calls;
    $target->{costs}{system_calls_by_name} = {map { ($_ => $calls->{$_} / $number) } keys %$calls};
    $target->{costs}{system_calls} += $_ / $number for values %$calls;
    return;
}

# One worker of each alone, so that all its first requests are over before the counting begins.
sub count_allocations ($stack, @targets) {
    my $environment = Bench::Cost::counting_environment($stack->directory);
    my @floors = map { $_->{process} =~ /^floor-(.*)/ } @targets;
    for my $kind (@floors) {
        $stack->stop_floor($kind);
        $stack->start_floor($kind, workers => 1, environment => $environment);
    }
    $stack->restart_single(environment => $environment);
    # PHP has an allocator of its own.
    for my $target (grep { $_->{process} !~ /^(?:peer|plain)$/ } @targets) {
        my $number = $target->{slow} ? $REQUESTS / 10 : $REQUESTS;
        Bench::Load::succeed($target->{port}, $target->{requests}, $number);
        my @before = Bench::Cost::allocations($stack->directory);
        Bench::Load::succeed($target->{port}, $target->{requests}, $number);
        my @after = Bench::Cost::allocations($stack->directory);
        @{$target->{costs}}{qw(allocations allocated_bytes)} =
            map { ($after[$_] - $before[$_]) / $number } 0, 1;
    }
    return;
}

# What goes into the JSON file: no tokens.
sub printable ($target) {
    return {map { ($_ => $target->{$_}) } grep { defined $target->{$_} } qw(key name floor loads costs)};
}

1;
