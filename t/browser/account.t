# The pages of a person in a browser: sign-in, sign-up, and the account. account.mjs clicks and looks.
use v5.36;
use utf8;

use Test::More;
use Roster;
use Roster::Browser;

my $lacks = Roster::Browser::lacks();
plan skip_all => $lacks if defined $lacks;

my $roster = Roster->new(tcp => 1, config => {site_name => 'Example users', site_picture => '/user.png'});
my %person = (
    ada => $roster->add_user(role => 'admin', name => 'Ada Lovelace', email => 'ada@example.org'),
    bob => $roster->add_user(name => 'Bob', email => 'bob@example.org', bio => 'Builds things.'),
    changing => $roster->add_user(name => 'Cleo', email => 'cleo@example.org'),
    limited => $roster->add_user(name => 'Lim', email => 'lim@example.org'),
    pending => $roster->add_user(role => 'pending', name => 'Pen', email => 'pen@example.org'));
$roster->sql('UPDATE auth SET must_change = 1 WHERE email = ?', 'cleo@example.org');
$roster->secret('another good battery');
Roster::Browser::run($roster, 'account', %person);

done_testing;
