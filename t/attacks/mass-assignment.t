# CWE-915: mass assignment: fields that no form has make an administrator of whoever sends them.
use v5.36;

use Test::More;
use Roster::Attack;

my %gifts = (
    role => 'admin',
    id => 'chosen',
    active => JSON::PP::true,
    is_admin => JSON::PP::true,
    admin => JSON::PP::true,
    email_verified_at => 1,
    created_at => 1,
    updated_at => 1,
    last_active_at => 9_999_999_999,
    permissions => {workspace => {models => JSON::PP::true}},
    group_ids => ['any'],
    api_key => 'sk-chosen-by-the-attacker',
    oauth => {google => {sub => 'x'}},
    oauth_sub => 'google@x',
    must_change => JSON::PP::false,
    '__proto__' => {role => 'admin'},
    'constructor' => {prototype => {role => 'admin'}});

sub row_of ($roster, $id) {
    my ($row) = $roster->rows('SELECT * FROM user WHERE id = ?', $id);
    delete @$row{qw(name profile_image_url bio gender date_of_birth updated_at changed_at last_active_at info settings
        timezone status_message status_emoji status_expires_at)};
    return $row;
}

attack 'at sign-up' => sub ($roster) {
    my $first = $roster->add_user(role => 'admin');
    set_config($roster, {ui => {enable_signup => JSON::PP::true, default_user_role => 'pending'}});
    my $answer = $roster->post('/auths/signup', undef,
        {%gifts, name => 'Gifted', email => 'gifted@example.org', password => 'a password of some length'});
    is $answer->{status}, 200, 'an account is made' or diag $answer->{body};
    is $answer->{json}{role}, 'pending', 'pending, as the settings say';
    isnt $answer->{json}{id}, 'chosen', '... with an id of ours';
    my ($row) = $roster->rows(q{SELECT role, created_at FROM user WHERE email = 'gifted@example.org'});
    is $row->{role}, 'pending', '... in the table, too';
    cmp_ok $row->{created_at}, '>', 1, '... and a time of ours';
    set_config($roster, undef);
};

attack 'in what people change of themselves' => sub ($roster) {
    my $user = $roster->add_user;
    my $before = row_of($roster, $user->{id});
    my %bodies = (
        '/auths/update/profile' => {name => 'New name', profile_image_url => '/user.png'},
        '/auths/update/timezone' => {timezone => 'Europe/Vienna'},
        '/users/user/status/update' => {status_message => 'here'},
        '/users/user/settings/update' => {ui => {}},
        '/users/user/info/update' => {x => 1});
    for my $path (sort keys %bodies) {
        is $roster->post($path, $user, {%gifts, %{$bodies{$path}}})->{status}, 200, "$path: the change is made";
        is_deeply row_of($roster, $user->{id}), $before, '... and nothing else';
    }
    is $roster->sql('SELECT name FROM user WHERE id = ?', $user->{id}), 'New name', 'what may be changed was';
    is $roster->get('/auths/', $user)->{json}{role}, 'user', 'the role is the same';
    is_problem $roster->get('/users/all', $user), 401, 'ACCESS_PROHIBITED', '... and so are the rights';
    is_problem $roster->get('/users/user/info', 'sk-chosen-by-the-attacker'), 401, 'INVALID_TOKEN', 'no key came of it';
};

attack 'in what administrators change of others' => sub ($roster) {
    my ($admin, $user) = ($roster->add_user(role => 'admin'), $roster->add_user);
    my $before = row_of($roster, $user->{id});
    is $roster->update_user($admin, $user, {%gifts, role => 'user'})->{status}, 200, 'a change of a user';
    is_deeply row_of($roster, $user->{id}), $before, '... changes what its form has, and nothing else';
    my $group = $roster->post('/groups/create', $admin,
        {%gifts, name => 'G', description => '', permissions => {}, user_id => $user->{id}, user_ids => [$user->{id}]});
    is $group->{status}, 200, 'a group';
    isnt $group->{json}{id}, 'chosen', '... has an id of ours';
    is $roster->sql('SELECT COUNT(*) FROM group_member WHERE group_id = ?', $group->{json}{id}), 0,
        '... and no members';
};

end_of_attacks;
