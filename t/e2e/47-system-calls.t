# The calls of the system of a request that the identity table answers, as HACKING lists them: none of them is there
# without a reason.
use v5.36;

use File::Temp ();
use Test::More;

use Roster;

require "$Roster::source/t/bench/lib/Bench/Cost.pm";

plan skip_all => 'valgrind has calls of its own' if $ENV{ROSTER_TEST_VALGRIND};

# Asked before there is a stack: one that is there has to be ended by done_testing.
sub may_trace () {
    my $directory = File::Temp->newdir;
    mkdir "$directory/log" or die "$directory/log: $!\n";
    my $other = Roster::Process->start('sleep', ['sleep', 60], log => "$directory/log/sleep.log");
    my $calls = Bench::Cost::system_calls($directory, [$other->pid], sub { });
    $other->stop('TERM', 10);
    return $calls;
}
plan skip_all => 'strace is not there, or may not trace' if !may_trace();

my %expected = (epoll_wait => 1, accept => 1, poll => 1, read => 1, write => 2, close => 1);

my $roster = Roster->new(
    config => {identity_cache => '1h', last_active_interval => '1h', rate_limits => 'no'},
    api => {workers => 1});
my $admin = $roster->add_user(role => 'admin');
my ($worker) = $roster->workers('api');
my $requests = 50;

sub calls_of ($code) { return Bench::Cost::system_calls($roster->{directory}, [$worker], $code) }

# A service that has just started answers without it, until the watcher has given its first sign of life.
ok wait_until(20, sub { $roster->status->{identity_table}{state} eq 'used' }), 'the identity table is used';

for my $path ("/users/$admin->{id}", '/users/permissions', "/users/$admin->{id}/active", '/verify') {
    my $ask = sub {
        grep { $roster->get($path, $admin)->{status} =~ /^20[04]$/ } 1 .. $requests;
    };
    is $ask->(), $requests, "$path is answered, and kept";
    # Now and then a worker looks after revocations, or waits for a request that comes a little later: on a busy machine
    # that is often, so one of several rounds without it is enough. What each request does is there in every round.
    my ($answered, $calls, $others);
    for (1 .. 5) {
        $calls = calls_of(sub { $answered = $ask->() });
        $others = 0;
        $others += $calls->{$_} - ($expected{$_} // 0) * $requests for keys %$calls;
        last if $answered != $requests || $others <= $requests / 5;
    }
    is $answered, $requests, 'it is answered from the table';
    cmp_ok $calls->{$_} // 0, '>=', $expected{$_} * $requests - 1, "$_: $expected{$_}" for sort keys %expected;
    cmp_ok $others, '<=', $requests / 5, 'and no other' or diag explain $calls;
}

$roster->finish;
done_testing;
