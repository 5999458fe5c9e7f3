# Bench::Load: requests to a port of the stack's nginx: many at once by wrk, at a steady rate by pace, or one after
# another.
#
# A request is [METHOD, PATH, TOKEN, BODY]; COUNT in a body is another number each time.
package Bench::Load;
use v5.36;

use Time::HiRes ();

# wrk.lua prints the latencies at these parts of the requests.
our @PARTS = map { 1 - 10**(-$_ / 8) } 0 .. 24;

# The file that wrk.lua reads.
sub write_requests ($file, $requests) {
    Roster::Database::write_file(
        $file,
        join '',
        map {
            join("\t", map { $_ // '' } @$_[0 .. 3]) . "\n"
        } @$requests);
    return $file;
}

# The command of wrk; its output is for result().
sub command ($port, $file, $connections, $seconds) {
    return ('wrk', '-t1', "-c$connections", "-d${seconds}s", '--timeout', '30s', '-s',
        "$Roster::source/t/bench/wrk.lua",
        "http://127.0.0.1:$port", '--', $file);
}

# Runs wrk: {requests, errors, seconds, rate, p50, p99, points}; times in milliseconds, points at @PARTS.
sub run ($port, $file, $connections, $seconds) {
    open my $out, '-|', command($port, $file, $connections, $seconds) or die "wrk: $!\n";
    return result($out);
}

sub result ($out) {
    my $text = do { local $/ = undef; readline($out) // '' };
    close $out;
    my ($requests, $errors, $seconds, @times) = $text =~ /^RESULT (.*)/m ? split(' ', $1) : die "wrk: $text\n";
    my ($p50, $p99, @points) = map { ($_ || 1) / 1000 } @times;
    return {
        requests => $requests + 0,
        errors => $errors + 0,
        seconds => $seconds + 0,
        rate => $requests / $seconds,
        p50 => $p50,
        p99 => $p99,
        points => \@points
    };
}

# Starts pace, which sends $rate requests a second: where its output can be read, for paced().
sub start_pace ($port, $file, $connections, $rate, $seconds) {
    open my $out, '-|', "$Roster::build/t/bench/pace", $port, $connections, $rate, $seconds, $file
        or die "pace: $!\n";
    return $out;
}

# Waits for the end of pace. {start => seconds of the monotonic clock, requests => [[seconds after the start when it was
# due, milliseconds until its answer was complete, status], ...]}.
sub paced ($out) {
    my ($start, @lines) = readline $out;
    close $out;
    defined $start && !$? or die "pace has failed\n";
    my @requests = map { my ($due, $time, $status) = split ' '; [$due / 1e6, $time / 1000, $status] } @lines;
    return {start => $start / 1e6, requests => \@requests};
}

# Sends $count requests of the list one after another over one connection: [seconds, status] of each.
sub in_turn ($port, $requests, $count) {
    local $Roster::Http::decodes = 0;
    state $number = int(Time::HiRes::time() * 1000) * 1000;
    my ($socket, @results);
    for my $turn (0 .. $count - 1) {
        my ($method, $path, $token, $body) = @{$requests->[$turn % @$requests]};
        $body =~ s/COUNT/++$number/e if defined $body;
        my $bytes = Roster::Http::compose($method, $path, headers => fields($token, $body), body => $body);
        # nginx closes a connection after 1000 requests.
        $socket = Roster::Http::open_socket(tcp => $port) if $turn % 500 == 0;
        my $started = Time::HiRes::time();
        my $answer = Roster::Http::exchange($socket, $bytes, method => $method) // {status => 0};
        push @results, [Time::HiRes::time() - $started, $answer->{status}];
        $socket = Roster::Http::open_socket(tcp => $port)
            if ($answer->{headers}{connection} // 'close') eq 'close';
    }
    return @results;
}

sub fields ($token, $body) {
    return [
        Connection => 'keep-alive',
        defined $token ? (Authorization => "Bearer $token") : (),
        defined $body ? ('Content-Type' => 'application/json') : ()
    ];
}

# The same, where each must be answered with 200 or 204.
sub succeed ($port, $requests, $count) {
    my ($failed) = grep { $_->[1] !~ m{^20[04]$} } in_turn($port, $requests, $count);
    die "@{$requests->[0]}[0, 1] is answered with $failed->[1]\n" if $failed;
    return;
}

1;
