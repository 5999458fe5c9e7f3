# Second factors in a browser: signing in with one, setting it up, and what people do with their own. factor.mjs clicks and
# looks.
use v5.36;
use utf8;

use Test::More;
use Roster;
use Roster::Browser;
use Roster::Factor;

my $lacks = Roster::Browser::lacks();
plan skip_all => $lacks if defined $lacks;

my $roster = Roster->new(
    tcp => 1,
    config => {site_name => 'Example users', rate_limits => 'no', second_factor_for => 'role:admin'});
my %person = (
    ada => $roster->add_user(role => 'admin', name => 'Ada Lovelace', email => 'ada@example.org'),
    bob => $roster->add_user(name => 'Bob', email => 'bob@example.org'),
    dora => $roster->add_user(name => 'Dora', email => 'dora@example.org'));

# Dora has lost her telephone, and an administrator has reset her factor.
my $session = $roster->sign_in($person{dora})->{json}{token};
my $token = $roster->call(mfa_choose => 200, token => $session)->{json}{challenge_token};
my $key = $roster->call(mfa_enroll_start => 200, json => {challenge_token => $token})->{json}{manual_key};
$roster->call(mfa_enroll_confirm => 200, json => {challenge_token => $token, code => Roster::Factor::totp($key)});
my ($reset) = $roster->ctl('--yes', 'user', 'mfa', 'reset', 'dora@example.org')->{out} =~ /(\S{20,})/;
$roster->secret($_) for $token, $key, $reset;

Roster::Browser::run($roster, 'factor', %person, reset => $reset);
done_testing;
