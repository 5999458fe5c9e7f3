# The client of the API that the pages use, in a browser, with the session's cookie: each of the twenty operations of
# /users, and what an error carries. t/e2e/53-clients.t does the same from Node. client.mjs calls them.
use v5.36;

use Test::More;
use Roster;
use Roster::Browser;

my $lacks = Roster::Browser::lacks();
plan skip_all => $lacks if defined $lacks;

my $roster = Roster->new(tcp => 1);
Roster::Browser::run(
    $roster, 'client',
    ada => $roster->add_user(role => 'admin', name => 'Ada', email => 'ada@example.org'),
    bob => $roster->add_user(name => 'Bob', email => 'bob@example.org'));

done_testing;
