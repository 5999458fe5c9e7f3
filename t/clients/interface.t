# The web interface of Open WebUI in a browser, with Roster behind it: t/clients/journey.mjs goes through all of it that is
# Roster's. Nothing of the interface is here, so this test is left out unless it is told where one is:
#
#   ROSTER_INTERFACE=DIR/open_webui/frontend ROSTER_INTERFACE_RELEASE=0.12.4 prove -v -I ../t/lib ../t/clients/interface.t
#
# DIR is an unpacked package of that release. It is no part of `make check'.
use v5.36;

use Test::More;
use Roster;
use Roster::Browser;

my ($interface, $release) = @ENV{qw(ROSTER_INTERFACE ROSTER_INTERFACE_RELEASE)};
plan skip_all => 'ROSTER_INTERFACE names no interface' if !defined $interface || !defined $release;
my $lacks = Roster::Browser::lacks();
plan skip_all => $lacks if defined $lacks;

my $compatibility = $release =~ /^0\.6\./ ? '0.6' : '0.12';
my $roster = Roster->new(tcp => 1, config => {compatibility => $compatibility});
my $take = sub ($line) {
    return diag $line if $line !~ /^(not )?ok - (.*)/;
    ok !$1, $2;
};
ok Roster::Browser::script(
    $roster, "$Roster::source/t/clients/journey.mjs", $take,
    interface => $interface,
    version => $release,
    release => $compatibility
    ),
    'the journey came to its end';

done_testing;
