# Groups: every endpoint, members and their order, what groups give to permissions, headers that bring memberships.
use v5.36;
use utf8;

use Test::More;
use Roster;

my $roster = Roster->new(
    config => {
        trusted_email_header => 'X-Email',
        trusted_groups_header => 'X-Groups',
        trusted_proxies => '192.0.2.0/24',
    });
my $admin = $roster->add_user(role => 'admin', name => 'Ada');
my @users = map { $roster->add_user } 1 .. 5;
my $pending = $roster->add_user(role => 'pending');

my @group_keys = sort qw(id user_id name description data meta permissions created_at updated_at member_count);

sub make (%fields) {
    my $answer = $roster->post('/groups/create', $admin, {description => '', %fields});
    is $answer->{status}, 200, "the group $fields{name} is made" or diag $answer->{body};
    return $answer->{json};
}

# ---- Making, showing, changing ----

my $team = make(
    name => 'Team',
    description => 'Those who work',
    permissions => {features => {api_keys => JSON::PP::true}, own => {thing => JSON::PP::true}},
    data => {config => {share => JSON::PP::false}, list => [1, 'ü/"', undef]});
is_deeply [sort keys %$team], \@group_keys, 'a new group has the keys of Group and member_count';
is $team->{user_id}, $admin->{id}, 'it belongs to who made it';
is $team->{member_count}, 0, 'it has no members';
is $team->{meta}, undef, 'what was not sent is null';
is_deeply $team->{permissions}, {features => {api_keys => JSON::PP::true}, own => {thing => JSON::PP::true}},
    'permissions are those that were sent';
is_deeply $team->{data}, {config => {share => JSON::PP::false}, list => [1, 'ü/"', undef]}, 'data is what was sent';
cmp_ok abs($team->{created_at} - time), '<', 10, 'created_at is now, in seconds';
is_deeply $roster->get("/groups/id/$team->{id}", $admin)->{json}, $team, 'it is shown as it was made';

my $plain = make(name => 'Plain');
is $plain->{permissions}, undef, 'a group without permissions has null';
is $plain->{data}, undef, 'and null for data';

is_problem $roster->post('/groups/create', $admin, {name => 'x'}), 422, 'VALIDATION_ERROR',
    'a group without a description is refused';
is_problem $roster->post('/groups/create', $admin,
    {name => 'x', description => '', permissions => {features => {api_keys => {}}}}),
    422, 'VALIDATION_ERROR',
    'a permission that is an object is refused';
is_problem $roster->post('/groups/create', $admin,
    {name => 'x', description => '', permissions => {features => JSON::PP::true}}),
    422,
    'VALIDATION_ERROR',
    'a section that is a boolean is refused';

$roster->sql('UPDATE `group` SET updated_at = 1000, created_at = 1000');
my $changed = $roster->post("/groups/id/$team->{id}/update", $admin, {name => 'Team 2', description => 'New'})->{json};
is $changed->{name}, 'Team 2', 'the name is changed';
is $changed->{description}, 'New', 'the description is changed';
is_deeply $changed->{permissions}, $team->{permissions}, 'absent permissions stay';
is_deeply $changed->{data}, $team->{data}, 'absent data stays';
is $changed->{created_at}, 1000, 'created_at stays';
cmp_ok $changed->{updated_at}, '>', 1000, 'updated_at is set';
$changed = $roster->post("/groups/id/$team->{id}/update",
    $admin, {name => 'Team 2', description => 'New', permissions => undef, data => undef, meta => {a => 1}})->{json};
is_deeply $changed->{permissions}, $team->{permissions}, 'null permissions stay';
is_deeply $changed->{data}, $team->{data}, 'null data stays';
is $changed->{meta}, undef, 'meta is no field of the body';
$changed = $roster->post("/groups/id/$team->{id}/update",
    $admin, {name => 'Team', description => '', permissions => {}, data => {}})->{json};
is_deeply $changed->{permissions}, {}, 'empty permissions replace the old ones';
is_deeply $changed->{data}, $team->{data}, 'empty data changes nothing: it is merged';

# ---- Members ----

my @ids = map { $_->{id} } @users[3, 1, 4, 0];
$roster->sql('UPDATE `group` SET updated_at = 1000');
my $answer = $roster->post("/groups/id/$team->{id}/users/add",
    $admin, {user_ids => [@ids, 'nobody', $ids[0], 'x' x 300, "\x{1F600}"]});
is $answer->{status}, 200, 'members are added' or diag $answer->{body};
is $answer->{json}{member_count}, 4, 'unknown and doubled ids are passed over';
cmp_ok $answer->{json}{updated_at}, '>', 1000, 'that is a change of the group';
my $export = $roster->get("/groups/id/$team->{id}/export", $admin)->{json};
is_deeply [sort keys %$export], [sort @group_keys, 'user_ids'],
    'an export has the keys of Group, member_count and user_ids';
is_deeply $export->{user_ids}, \@ids, 'members come in the order in which they were added';
is $roster->post("/groups/id/$team->{id}/users/add", $admin, {user_ids => [$users[2]{id}, @ids]})->{json}{member_count},
    5,
    'present members are passed over, the others are added';
is_deeply $roster->get("/groups/id/$team->{id}/export", $admin)->{json}{user_ids}, [@ids, $users[2]{id}],
    'who comes later stands behind';
my $members = $roster->ask(POST => "/groups/id/$team->{id}/users", $admin)->{json};
is_deeply [sort keys %{$members->[0]}], [sort qw(status_emoji status_message status_expires_at id name email role)],
    'members are shown as UserInfo';
is_deeply [sort map { $_->{id} } @$members], [sort @ids, $users[2]{id}], 'all of them are';
is $roster->post("/groups/id/$team->{id}/users/remove", $admin, {user_ids => [$ids[1], 'nobody', $pending->{id}]})
    ->{json}{member_count},
    4, 'a member is removed, others are passed over';
is_deeply $roster->get("/groups/id/$team->{id}/export", $admin)->{json}{user_ids}, [@ids[0, 2, 3], $users[2]{id}],
    'the order of the rest stays';
$roster->sql('UPDATE `group` SET updated_at = 1000');
for my $body ({}, {user_ids => undef}, {user_ids => []}) {
    is $roster->post("/groups/id/$team->{id}/users/remove", $admin, $body)->{json}{updated_at}, 1000,
        'nobody removed is no change of the group';
    is_problem $roster->post('/groups/id/nothing/users/remove', $admin, $body), 404, 'NOT_FOUND',
        'though the group must be there';
}
cmp_ok $roster->post("/groups/id/$team->{id}/users/remove", $admin, {user_ids => [$ids[1]]})->{json}{updated_at}, '>',
    1000,
    'somebody to be removed is one';
for my $way (qw(add remove)) {
    is $roster->post("/groups/id/$team->{id}/users/$way", $admin, {user_ids => undef})->{json}{member_count}, 4,
        "$way with null changes nothing";
    is $roster->post("/groups/id/$team->{id}/users/$way", $admin, {})->{json}{member_count}, 4,
        "$way without user_ids changes nothing";
    is $roster->post("/groups/id/$team->{id}/users/$way", $admin, {user_ids => []})->{json}{member_count}, 4,
        "$way with an empty list changes nothing";
    is_problem $roster->post("/groups/id/$team->{id}/users/$way", $admin, {user_ids => ['a', 5]}), 422,
        'VALIDATION_ERROR',
        "$way with a number is refused";
}

subtest 'many at once' => sub {
    my $group = make(name => 'Many');
    my $now = time;
    my @many = map { "many-$_" } 1 .. 300;
    $roster->sql('INSERT INTO user (id, email, name, last_active_at, updated_at, created_at) '
            . "SELECT CONCAT('many-', seq), CONCAT(seq, '\@many.example.org'), CONCAT('Many ', seq), 1, 1, 1 "
            . "FROM seq_1_to_300");
    my @order = reverse @many;
    is $roster->post("/groups/id/$group->{id}/users/add", $admin, {user_ids => \@order})->{json}{member_count}, 300,
        '300 members come at once';
    is_deeply $roster->get("/groups/id/$group->{id}/export", $admin)->{json}{user_ids}, \@order, 'their order is kept';
    my $change = sub ($part, $turn) {
        my $way = ($part + $turn) % 2 ? 'add' : 'remove';
        my @ids = @many[$part * 10 .. $part * 10 + 99];
        return $roster->post("/groups/id/$group->{id}/users/$way", $admin, {user_ids => \@ids})->{status};
    };
    my @statuses = map { @$_ } at_once(
        map {
            my $part = $_;
            sub {
                map { $change->($part, $_) } 0 .. 9;
            }
        } 0 .. 3);
    is_deeply \@statuses, [(200) x 40], 'changes of one group by four at once all succeed';
    is $roster->sql('SELECT COUNT(*) - COUNT(DISTINCT user_id) FROM group_member WHERE group_id = ?', $group->{id}), 0,
        'nobody is a member twice';
    is $roster->ask(DELETE => "/groups/id/$group->{id}/delete", $admin)->{status}, 200, 'it is deleted';
};

# ---- Lists ----

subtest 'lists' => sub {
    $roster->sql('DELETE FROM `group`');
    my %group = map { ($_->{name} => $_) } (
        make(name => 'none'),
        make(name => 'empty', data => {config => {}}),
        make(name => 'null', data => {config => {share => undef}}),
        make(name => 'true', data => {config => {share => JSON::PP::true}}),
        make(name => 'false', data => {config => {share => JSON::PP::false}}),
        make(name => 'else', data => {config => {share => 'members'}}));
    my $time = 1000;
    $roster->sql('UPDATE `group` SET updated_at = ? WHERE id = ?', $time++, $group{$_}{id})
        for qw(none empty null true false else);
    my $names = sub ($answer) {
        return join ' ', map { $_->{name} } @{$answer->{json}};
    };
    is $names->($roster->get('/groups/', $admin)), 'else false true null empty none',
        'an administrator sees all, last updated first';
    is_deeply [sort keys %{$roster->get('/groups', $admin)->{json}[0]}], \@group_keys,
        'rows have the keys of Group and member_count';
    is $names->($roster->get('/groups/?share=true', $admin)), 'true null empty none',
        'share=true: those with true, and those without it';
    is $names->($roster->get('/groups/?share=false', $admin)), 'false', 'share=false: those with false';
    is_problem $roster->get('/groups/?share=maybe', $admin), 422, 'VALIDATION_ERROR', 'share=maybe is refused';
    is $names->($roster->get('/groups/', $users[0])), '', 'a user without groups sees none';
    $roster->post("/groups/id/$group{$_}{id}/users/add", $admin, {user_ids => [$users[0]{id}, $users[1]{id}]})
        for qw(none false);
    $roster->sql('UPDATE `group` SET updated_at = 1 WHERE id = ?', $group{false}{id});
    my $answer = $roster->get('/groups/', $users[0]);
    is $names->($answer), 'none false', 'a user sees their own';
    is $answer->{json}[0]{member_count}, 2, 'with the number of members';
    is $names->($roster->get('/groups/?share=true', $users[0])), 'none', 'share works there too';
    is $names->($roster->get('/groups/?share=false', $users[0])), 'false', 'both ways';
    is $names->($roster->get('/users/groups', $users[0])), 'none false', 'the same groups at /users/groups';
    is_problem $roster->get('/groups/', $pending), 401, 'ACCESS_PROHIBITED', 'a pending account sees none';
};

# ---- Permissions follow ----

subtest 'permissions follow at once' => sub {
    my $group = make(
        name => 'Rights',
        permissions => {features => {api_keys => JSON::PP::true}, own => {thing => JSON::PP::true}});
    my $may = sub { return $roster->get('/users/permissions', $users[2])->{json} };
    ok !$may->()->{features}{api_keys}, 'without the group: no permission';
    $roster->post("/groups/id/$group->{id}/users/add", $admin, {user_ids => [$users[2]{id}]});
    is_deeply [map { ${\($may->()->{features}{api_keys})} ? 1 : 0 } 1 .. 8], [(1) x 8], 'added: each worker gives it';
    ok $may->()->{own}{thing}, "a group's own keys appear";
    $roster->post("/groups/id/$group->{id}/update",
        $admin, {name => 'Rights', description => '', permissions => {features => {api_keys => JSON::PP::false}}});
    is_deeply [map { $may->()->{features}{api_keys} ? 1 : 0 } 1 .. 8], [(0) x 8], 'changed: no worker gives it';
    $roster->post("/groups/id/$group->{id}/update",
        $admin, {name => 'Rights', description => '', permissions => {features => {api_keys => JSON::PP::true}}});
    $roster->post("/groups/id/$group->{id}/users/remove", $admin, {user_ids => [$users[2]{id}]});
    is_deeply [map { $may->()->{features}{api_keys} ? 1 : 0 } 1 .. 8], [(0) x 8], 'removed: no worker gives it';
};

# ---- Deleting, unknown groups, who may ----

subtest 'deleting' => sub {
    my $group = make(name => 'Gone');
    $roster->post("/groups/id/$group->{id}/users/add", $admin, {user_ids => [$users[0]{id}]});
    my $answer = $roster->ask(DELETE => "/groups/id/$group->{id}/delete", $admin);
    is $answer->{body}, 'true', 'the answer is true';
    is $roster->sql('SELECT COUNT(*) FROM group_member WHERE group_id = ?', $group->{id}), 0, 'memberships are gone';
    is_problem $roster->ask(DELETE => "/groups/id/$group->{id}/delete", $admin), 404,
        'NOT_FOUND', 'a second time it is not found';
    is_problem $roster->get("/groups/id/$group->{id}", $admin), 404, 'NOT_FOUND', 'it is not shown';
    is_problem $roster->get("/groups/id/$group->{id}/export", $admin), 404, 'NOT_FOUND', 'nor exported';
    is_problem $roster->ask(POST => "/groups/id/$group->{id}/users", $admin), 404, 'NOT_FOUND',
        'nor are its members shown';
    is_problem $roster->post("/groups/id/$group->{id}/update", $admin, {name => 'a', description => ''}), 404,
        'NOT_FOUND',
        'nor is it changed';
    is_problem $roster->post("/groups/id/$group->{id}/users/$_", $admin, {user_ids => [$users[0]{id}]}), 404,
        'NOT_FOUND', "nor its members ($_)"
        for qw(add remove);
    is_problem $roster->post("/groups/id/$group->{id}/users/add", $admin, {}), 404, 'NOT_FOUND',
        'also without anybody to add';

    $group = make(name => 'Left');
    my $leaver = $roster->add_user;
    $roster->post("/groups/id/$group->{id}/users/add", $admin, {user_ids => [$leaver->{id}, $users[0]{id}]});
    $roster->ask(DELETE => "/users/$leaver->{id}", $admin);
    is $roster->get("/groups/id/$group->{id}", $admin)->{json}{member_count}, 1, 'who is deleted is no member any more';
};

subtest 'administrators only' => sub {
    my $group = make(name => 'Guarded');
    my $path = "/groups/id/$group->{id}";
    my @calls = (
        [POST => '/groups/create', {name => 'x', description => ''}],
        [GET => $path],
        [GET => "$path/export"],
        [POST => "$path/users"],
        [POST => "$path/update", {name => 'x', description => ''}],
        [POST => "$path/users/add", {}],
        [POST => "$path/users/remove", {}],
        [DELETE => "$path/delete"]);
    for my $call (@calls) {
        my ($method, $target, $body) = @$call;
        is_problem $roster->ask($method => $target, $users[0], $body ? (json => $body) : ()), 401,
            'ACCESS_PROHIBITED', "$method $target is for administrators";
        is_problem $roster->request($method, $target, $body ? (json => $body) : ()), 401, 'NOT_AUTHENTICATED',
            "$method $target needs a token";
    }
    is $roster->get($path, $admin)->{json}{name}, 'Guarded', 'nothing of it has happened';
};

# ---- Trusted headers ----

subtest 'memberships from a header' => sub {
    my %group = map { ($_ => make(name => $_)) } ('One', 'Two', 'Three', 'by hand');
    my $person = $roster->add_user(email => 'header@example.org');
    $roster->post("/groups/id/$group{'by hand'}{id}/users/add", $admin, {user_ids => [$person->{id}]});
    my $sign_in = sub ($names) {
        my $answer = $roster->sign_in(
            '',
            password => '',
            client => '192.0.2.7',
            headers => ['X-Email' => 'header@example.org', 'X-Groups' => $names]);
        is $answer->{status}, 200, "signed in with '$names'" or diag $answer->{body};
        return join ',', sort map { $_->{name} } @{$roster->get("/users/$person->{id}/groups", $admin)->{json}};
    };
    is $sign_in->('One, Two, unknown, three'), 'One,Two,by hand', 'groups by their exact names, beside those by hand';
    is $sign_in->('Two'), 'Two,by hand', 'what the header names no more is left';
    $roster->post("/groups/id/$group{Two}{id}/users/add", $admin, {user_ids => [$person->{id}]});
    is $sign_in->('Three'), 'Three,Two,by hand', 'what an administrator has confirmed by hand stays';
    is $sign_in->('by hand'), 'Two,by hand', 'a group by hand that the header names, too';
    is $sign_in->(' '), 'Two,by hand', 'and that it names no more, stays';
};

done_testing;
