# Bench::SignIns: what applications notice of it that people sign in: each sign-in takes a tenth of a second of a core.
package Bench::SignIns;
use v5.36;

use Time::HiRes ();

use Bench::Load;
use Bench::Number;
use Bench::Targets;
use Roster::Bench;

# So many clients sign in all the time, while one asks for the target; turn by turn with a time without them.
our $CLIENTS = 8;
my ($TURNS, $SECONDS) = (7, 1);

# {quiet, busy: p50 in milliseconds; times: the median of what a turn shows; rate: sign-ins a second}. On a machine that
# is so busy that no sign-in ends, it shows nothing: undef.
sub measure ($stack, $target) {
    my $sign_in = Bench::Targets::sign_in($stack);
    my $file = Bench::Load::write_requests($stack->directory . '/requests-sign-in', $sign_in->{requests});
    my $ask = sub () { return Bench::Load::run($target->{port}, $target->{file}, 1, $SECONDS)->{p50} };
    my (%p50, @times, @rates);
    for (1 .. $TURNS) {
        push @{$p50{quiet}}, $ask->();
        open my $out, '-|', Bench::Load::command($stack->port, $file, $CLIENTS, $SECONDS + 1) or die "wrk: $!\n";
        Time::HiRes::sleep(0.5);    # until all of them wait
        push @{$p50{busy}}, $ask->();
        my $result = Bench::Load::result($out);
        $result->{errors} == 0 or die "$result->{errors} sign-ins have failed\n";
        push @rates, $result->{rate};
        push @times, $p50{busy}[-1] / $p50{quiet}[-1];
    }
    return if !grep { $_ > 0 } @rates;
    return {
        quiet => median(@{$p50{quiet}}),
        busy => median(@{$p50{busy}}),
        times => median(@times),
        rate => median(@rates)
    };
}

sub report ($result) {
    printf "GET /verify, p50: %.2f ms; while %d clients sign in, %.1f times a second: %.2f ms\n\n", $result->{quiet},
        $CLIENTS, $result->{rate}, $result->{busy};
    return;
}

1;
