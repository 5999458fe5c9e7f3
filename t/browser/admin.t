# The pages for administrators in a browser. admin.mjs clicks and looks.
use v5.36;
use utf8;

use Test::More;
use Roster;
use Roster::Browser;

my $lacks = Roster::Browser::lacks();
plan skip_all => $lacks if defined $lacks;

my $roster = Roster->new(tcp => 1, config => {rate_limits => 'no'});
my %person = (
    ada =>
        $roster->add_user(role => 'admin', name => 'Ada Lovelace', email => 'ada@example.org', created_at => 1_000_000),
    bob => $roster->add_user(name => 'Bob', email => 'bob@example.org'),
    carl => $roster->add_user(name => 'Carl', email => 'carl@example.org'));
$roster->sql("INSERT INTO user (id, email, name, role, created_at, last_active_at) SELECT CONCAT('many', seq), "
        . "CONCAT('many', seq, '\@example.org'), CONCAT('Many ', seq), 'pending', 2000000 + seq, 2000000 + seq FROM seq_1_to_140"
);
$roster->sql("INSERT INTO auth (id, email, password) SELECT id, email, 'x' FROM user WHERE id LIKE 'many%'");
$roster->sql("INSERT INTO `group` (id, user_id, name, description) VALUES ('readers', 'x', 'Readers', 'They read.')");
$roster->sql("INSERT INTO session (jti, user_id, user_agent, address) VALUES ('of-bob', ?, ?, '192.0.2.7')",
    $person{bob}{id}, 'Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0');
$roster->sql(
    "INSERT INTO session (jti, user_id, address, created_at, last_seen_at) SELECT CONCAT('of-carl-', seq), ?, "
        . "CONCAT('198.51.100.', seq), 3000000 + seq DIV 3, 3000000 FROM seq_1_to_70",
    $person{carl}{id});
$roster->sql(
    "INSERT INTO api_key (id, user_id, `key`, is_primary, name) VALUES ('k1', ?, 'sk-bobsownkey', 0, 'backup')",
    $person{bob}{id});
Roster::Browser::run($roster, 'admin', %person);

is $roster->sql('SELECT COUNT(*) FROM user WHERE name LIKE ?', 'Grace%'), 1, 'the new person is in the table';

done_testing;
