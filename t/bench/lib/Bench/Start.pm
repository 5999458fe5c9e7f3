# Bench::Start: how long roster takes from its start to its first answer, how long a worker takes until it answers, and
# what clients notice of a reload.
package Bench::Start;
use v5.36;

use Time::HiRes ();

use Bench::Load;
use Roster::Bench;

# How often each is tried.
my ($STARTS, $WORKERS, $RELOADS) = (7, 15, 3);

# The load while roster is reloaded: a part of what it answers at most, and seconds: before the first reload, from one
# to the next, and of one window whose p99 is looked at.
my ($PART, $BEFORE, $BETWEEN, $WINDOW) = (0.7, 2, 2, 0.1);

sub now () { return Time::HiRes::clock_gettime(Time::HiRes::CLOCK_MONOTONIC()) }

# ---- Starts ----

# {ping, user, worker: each a list of milliseconds}.
sub starts ($stack) {
    my %path = (ping => '/ping', user => "/users/$stack->{admin}{id}");
    my %times;
    for (1 .. $STARTS) {
        push @{$times{$_}}, first_answer($stack, $path{$_}) for sort keys %path;
    }
    return {%times, worker => [map { new_worker($stack) } 1 .. $WORKERS]};
}

# From before the fork of the process until nginx has the answer to a request that is tried all the time.
sub first_answer ($stack, $path) {
    my $roster = $stack->roster;
    $roster->stop('roster');
    unlink map { $roster->socket_path($_) } @Roster::SOCKETS;
    my $bytes = Roster::Http::compose(GET => $path, token => $stack->{admin}{token});
    my $started = now();
    $roster->spawn('roster', ["$Roster::build/roster", '-c', $roster->config_file]);
    while (now() < $started + 20 * $Roster::Process::patience) {
        my $answer = eval { Roster::Http::exchange(Roster::Http::open_socket(tcp => $stack->port), $bytes) };
        return (now() - $started) * 1000 if $answer && $answer->{status} == 200;
        Time::HiRes::sleep(0.0005);
    }
    die "roster does not answer:\n" . $roster->log_tail('roster-error');
}

# From the death of the only worker of a pool until the next one has answered: the request waits in the socket's queue.
sub new_worker ($stack) {
    my $roster = $stack->roster;
    $roster->pool_answers('status') or die "the pool status does not answer\n";
    my ($pid) = $roster->workers('status');
    kill 'KILL', $pid or die "kill: $!\n";
    my $started = now();
    $roster->pool_answers('status') or die "the pool status does not answer any more\n";
    return (now() - $started) * 1000;
}

# ---- Reloads ----

# {rate, windows => [[seconds since the start, p99 in milliseconds], ...], reloads => [[from, until], ...] in seconds,
# before, during, after: {p99, worst} of the windows in milliseconds, errors}.
sub reload ($stack, $target) {
    my $most = median(map { Bench::Load::run($target->{port}, $target->{file}, 16, 1)->{rate} } 1 .. 3);
    my $rate = $PART * $most;
    my $out = Bench::Load::start_pace($target->{port}, $target->{file}, 64, $rate, $BEFORE + $BETWEEN * $RELOADS);
    my $begun = now();
    my @reloads = map {
        my $due = $begun + $BEFORE + $BETWEEN * $_;
        Time::HiRes::sleep($due - now()) if $due > now();
        [reload_once($stack->roster)]
    } 0 .. $RELOADS - 1;
    my $paced = Bench::Load::paced($out);
    $_ = [map { $_ - $paced->{start} } @$_] for @reloads;
    my @windows = windows(@{$paced->{requests}});
    my %part;
    push @{$part{part_of($_->[0], @reloads)}}, $_->[1] for @windows;
    return {
        rate => $rate,
        windows => \@windows,
        reloads => \@reloads,
        errors => scalar(grep { $_->[2] != 200 } @{$paced->{requests}}),
        map { ($_ => {p99 => median(@{$part{$_}}), worst => (sort { $b <=> $a } @{$part{$_}})[0]}) } keys %part
    };
}

# When it began, and when the last old worker had gone.
sub reload_once ($roster) {
    my %old = map { ($_ => 1) } $roster->workers;
    my $from = now();
    my $why = $roster->reload;
    defined $why && $why eq '' or die 'the reload has failed: ', $why // 'no end', "\n";
    Roster::Process::wait_until(
        30,
        sub {
            !grep { $old{$_} } $roster->workers;
        }
    ) or die "old workers stay\n";
    return ($from, now());
}

# The p99 of the requests that were due in each window.
sub windows (@requests) {
    my @times;
    push @{$times[$_->[0] / $WINDOW]}, $_->[1] for @requests;
    my @windows;
    for my $place (grep { @{$times[$_] // []} >= 20 } 0 .. $#times) {
        my @sorted = sort { $a <=> $b } @{$times[$place]};
        push @windows, [$place * $WINDOW, $sorted[0.99 * $#sorted]];
    }
    return @windows;
}

# Whether a window is during a reload, before the first one, or after one. The first windows count for none: caches fill.
sub part_of ($from, @reloads) {
    my $until = $from + $WINDOW;
    return 'during' if grep { $from < $_->[1] && $until > $_->[0] } @reloads;
    return $from < 0.5 ? 'warming' : $until <= $reloads[0][0] ? 'before' : 'after';
}

# ---- Tables and drawing ----

sub report_starts ($start) {
    my %name = (
        ping => 'start to the first answer to GET /ping',
        user => 'start to the first answer to GET /users/{id}',
        worker => 'death of a worker to the answer of the next one');
    for my $key (qw(ping user worker)) {
        my @times = sort { $a <=> $b } @{$start->{$key}};
        printf "%-50s %8.1f ms, %.1f at least, %.1f at most\n", $name{$key}, median(@times), @times[0, -1];
    }
    print "\n";
    return;
}

sub report_reload ($reload) {
    my $length = median(map { $_->[1] - $_->[0] } @{$reload->{reloads}});
    printf "%d reloads of %.0f ms, %s requests/s (%.2f of the most), %d errors\n", scalar @{$reload->{reloads}},
        $length * 1000, Bench::Number::commas($reload->{rate}), $PART, $reload->{errors};
    printf "%-34s %10s %10s\n", 'p99 of the requests of 100 ms', 'median ms', 'worst ms';
    printf "%-34s %10.2f %10.2f\n", $_, @{$reload->{$_}}{qw(p99 worst)}
        for grep { $reload->{$_} } qw(before during after);
    print "\n";
    return;
}

sub draw_reload ($file, $reload) {
    my @times = map { $_->[1] } @{$reload->{windows}};
    my ($ticks) = Bench::Svg::decades(@times);
    my $last = $reload->{windows}[-1][0] + $WINDOW;
    my @marks =
        map { {name => 'reload', points => [[$_->[0], $ticks->[0][0]], [$_->[0], $ticks->[-1][0]]], dashes => 1} }
        @{$reload->{reloads}};
    Bench::Svg::draw(
        $file,
        'Roster: reloads under load',
        {
            title => sprintf('%s requests/s', Bench::Number::commas($reload->{rate})),
            x => {label => 'seconds', ticks => [map { [$_, $_] } 0 .. int($last + 0.999)], is_linear => 1},
            y => {label => 'p99 of 100 ms, ms', ticks => $ticks},
            lines => [{name => 'GET /users/{id}', points => $reload->{windows}}, @marks]
        });
    return;
}

1;
