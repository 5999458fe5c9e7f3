# Requests about somebody who is just being deleted (and about a group): they wait for the deletion, and then find
# nobody; no foreign key makes a 500 of it.
use v5.36;

use Test::More;
use Roster;
use Time::HiRes ();

my $roster = Roster->new(config => {last_active_interval => '1d', rate_limits => 'no'}, api => {workers => 3});
my $admin = $roster->add_user(role => 'admin', last_active_at => time);
my $other = $roster->add_user(last_active_at => time);

sub group ($name) {
    my $id = Roster::uuid();
    $roster->sql('INSERT INTO `group` (id, user_id, name) VALUES (?, ?, ?)', $id, $admin->{id}, $name);
    return $id;
}
my $group = group('Group');

# Keys are switched on, for everybody.
{
    my $config = $roster->settings($admin);
    $config->{ENABLE_API_KEYS} = JSON::PP::true();
    $roster->post('/auths/admin/config', $admin, $config)->{status} == 200 or die;
    my $permissions = $roster->get('/users/default/permissions', $admin)->{json};
    $permissions->{features}{api_keys} = JSON::PP::true();
    $roster->post('/users/default/permissions', $admin, $permissions)->{status} == 200
        or die;
}

# Deletes a row in a transaction of another program's, sends a request, and commits when the request waits for it. Gives
# the answer, and whether it waited. A machine that is so slow that the request gives up (503) is asked again, with
# somebody new.
sub while_deleting ($table, $make, $ask) {
    for my $round (1 .. 5) {
        my $thing = $make->();
        my $beside = Roster::Database->connect($roster->socket_path('mariadb'));
        $beside->run('START TRANSACTION');
        $beside->run("DELETE FROM `$table` WHERE id = ?", ref $thing ? $thing->{id} : $thing);
        my $result = in_background(sub { in_short($ask->($thing)) });
        # Seen twice, it is no statement that is just passing.
        my $seen = 0;
        my $waits = wait_until(
            0.5,
            sub {
                $seen = $roster->connections('.') ? $seen + 1 : 0;
                Time::HiRes::sleep(0.03);
                return $seen >= 3;
            });
        $beside->run('COMMIT');
        $beside->disconnect;
        my $text = $result->();
        next if !$waits || $text =~ /^503/ && $round < 5;
        return ($text, $thing);
    }
    return ('it did not wait', undef);
}

my $person = sub { $roster->add_user(last_active_at => time) };

sub own ($method, $path, %options) {
    return sub ($user) { $roster->ask($method => $path, $user, %options) };
}

sub about ($method, $path, %options) {
    return sub ($user) { $roster->ask($method => $path =~ s/ID/$user->{id}/r, $admin, %options) };
}

my @cases = (
    ['info', own(POST => '/users/user/info/update', json => {a => 1}), '400 USER_NOT_FOUND'],
    ['settings', own(POST => '/users/user/settings/update', json => {ui => {a => 1}}), '400 USER_NOT_FOUND'],
    ['status', own(POST => '/users/user/status/update', json => {status_message => 'x'}), '400 USER_NOT_FOUND'],
    [
        'profile',
        own(POST => '/auths/update/profile', json => {name => 'x', profile_image_url => '/user.png'}),
        '400 USER_NOT_FOUND'
    ],
    ['time zone', own(POST => '/auths/update/timezone', json => {timezone => 'Europe/Vienna'}), '400 USER_NOT_FOUND'],
    [
        'own password',
        own(
            POST => '/auths/update/password',
            json => {password => $Roster::PASSWORD, new_password => 'a new one of some length'}
        ),
        '400 USER_NOT_FOUND'
    ],
    ['the key', own(POST => '/auths/api_key'), '400 USER_NOT_FOUND'],
    ['a named key', own(POST => '/auths/api_keys', json => {name => 'x'}), '400 USER_NOT_FOUND'],
    ['sign-out everywhere', own(DELETE => '/auths/sessions'), '401 INVALID_TOKEN'],
    [
        'an administrator changes them',
        about(
            POST => '/users/ID/update',
            json => {role => 'user', name => 'x', email => 'x@example.org', profile_image_url => '/user.png'}
        ),
        '400 USER_NOT_FOUND'
    ],
    [
        'with a password',
        about(
            POST => '/users/ID/update',
            json => {
                role => 'user',
                name => 'x',
                email => 'y@example.org',
                profile_image_url => '/user.png',
                password => 'a new one of some length'
            }
        ),
        '400 USER_NOT_FOUND'
    ],
    ['an administrator ends their sessions', about(DELETE => '/users/ID/sessions'), '400 USER_NOT_FOUND'],
    ['an administrator deletes them, too', about(DELETE => '/users/ID'), '400 USER_NOT_FOUND']);
for my $case (@cases) {
    my ($name, $ask, $expected) = @$case;
    is + (while_deleting('user', $person, $ask))[0], $expected, $name;
}

is + (while_deleting('user', $person, own(GET => '/auths/signout')))[0], '200', 'who signs out is signed out';
is + (while_deleting(
    'user', $person,
    sub ($user) {
        $roster->sign_in($user);
    }))[0],
    '400 INVALID_CRED', 'who signs in is nobody';

my ($text, $gone) = while_deleting(
    'user', $person,
    sub ($user) {
        $roster->post("/groups/id/$group/users/add", $admin, {user_ids => [$user->{id}, $other->{id}]});
    });
like $text, qr/^200$/, 'members are added: who is unknown by then is passed over';
is_deeply [map { $_->[0] } $roster->sql('SELECT user_id FROM group_member WHERE group_id = ?', $group)],
    [$other->{id}], 'and the others are done';

my $number = 0;
my $another = sub { group('Another ' . ++$number) };
like + (while_deleting(
    'group', $another,
    sub ($id) {
        $roster->post("/groups/id/$id/users/add", $admin, {user_ids => [$other->{id}]});
    }))[0], qr/^404 NOT_FOUND/,
    'members of a group that goes';
like + (while_deleting(
    'group', $another,
    sub ($id) {
        $roster->post("/groups/id/$id/update", $admin, {name => 'x', description => ''});
    }))[0], qr/^404 NOT_FOUND/,
    'a change of it';

# The default group goes while somebody is added: the account is made, without it.
my $default = sub {
    my $id = $another->();
    my $config = $roster->settings($admin);
    $config->{DEFAULT_GROUP_ID} = $id;
    $roster->post('/auths/admin/config', $admin, $config)->{status} == 200 or die;
    return $id;
};
my $added = 0;
($text) = while_deleting(
    'group', $default,
    sub ($id) {
        $roster->post('/auths/add', $admin,
            {name => 'x', email => 'added' . $id . '@example.org', password => 'a password of some length'});
    });
like $text, qr/^200$/, 'somebody is added while the default group goes';
is $roster->sql(q{SELECT COUNT(*) FROM user u LEFT JOIN group_member m ON m.user_id = u.id }
        . q{WHERE u.email LIKE 'added%' AND m.id IS NULL}), 1, 'and is in no group';

# Whatever else refers to a row that goes, also what nobody has thought of.
unlike $roster->log_text, qr/MariaDB refused with error/, 'MariaDB refused nothing';

done_testing;
