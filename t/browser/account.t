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
# Bob may have keys, by a group.
$roster->request(
    POST => '/auths/admin/config',
    token => $person{ada}{token},
    json => {
        %{$roster->get('/auths/admin/config', $person{ada})->{json}}, ENABLE_API_KEYS => JSON::PP::true
    });
my $group = $roster->request(
    POST => '/groups/create',
    token => $person{ada}{token},
    json => {name => 'Key holders', description => '', permissions => {features => {api_keys => JSON::PP::true}}}
)->{json};
$roster->request(
    POST => "/groups/id/$group->{id}/users/add",
    token => $person{ada}{token},
    json => {user_ids => [$person{bob}{id}]});
Roster::Browser::run($roster, 'account', %person);

done_testing;
