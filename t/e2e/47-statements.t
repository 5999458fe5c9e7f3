# How many statements each GET route runs without the identity table, but for lists, which other tests count; and that what the statement that finds the caller
# reads besides (ROUTE_READS in routes.def) is what the statements that it stands for would have read.
use v5.36;

use Encode ();
use JSON::PP ();
use Test::More;

use Roster;
use Roster::Tables;

my $roster = Roster->new(
    api => {workers => 1},
    directory => {workers => 1},
    config => {rate_limits => 'no', last_active_interval => '1d'});
my $admin = $roster->add_user(role => 'admin', last_active_at => time);
my $caller = $roster->add_user(last_active_at => time, settings => '{"ui":{"a":1}}', info => '{"b":2}');
my $shown = $roster->add_user(last_active_at => time);
my $group = add_groups($shown, 'g', 3);
$roster->sql('INSERT INTO oauth_session (id, user_id, provider, token, expires_at) VALUES (?, ?, ?, ?, 1)',
    'session', $shown->{id}, 'google', 'token');
$roster->sql('INSERT INTO config (data) VALUES (?)', '{"auth":{"enable_api_keys":true}}');
my $key = $roster->call(api_keys_create => 200, token => $admin->{token}, json => {name => 'a key'})->{json};

# So many groups of a user, with permissions; gives the id of the last.
sub add_groups ($user, $prefix, $count) {
    for my $number (1 .. $count) {
        $roster->sql(
            'INSERT INTO `group` (id, user_id, name, permissions, created_at, updated_at) VALUES (?, ?, ?, ?, 1, ?)',
            "$prefix$number",
            $admin->{id},
            "Group $prefix$number",
            qq{{"features":{"$prefix$number":true}}},
            $number % 4);
        $roster->sql('INSERT INTO group_member (id, group_id, user_id) VALUES (?, ?, ?)',
            "$user->{id}$prefix$number", "$prefix$number", $user->{id});
    }
    return "$prefix$count";
}

# The least of several, since a worker prepares each statement once, and looks after the server now and then.
sub statements ($path, $who) {
    my $least;
    for (1 .. 4) {
        my $count = $roster->access_line($roster->get($path, $who))->{statements};
        $least = $count if !defined $least || $count < $least;
    }
    return $least;
}

# What the parameters of paths stand for.
my %in = (user_id => $shown->{id}, group_id => $group, key_id => $key->{id}, file => '0' x 64 . '.png');

my %statements = (
    admin_config_get => 1,
    admin_details => 3,
    admin_status => 1,
    api_key_get => 2,
    api_keys_get => 2,
    api_keys_list => 2,
    default_permissions_fresh => 1,
    default_permissions_get => 1,
    group_get => 2,
    group_info => 2,
    group_preview => 7,
    user_preview => 2,
    mfa_status => 2,
    info_get => 1,
    ldap_get => 1,
    ldap_server_get => 1,
    openapi => 0,
    own_permission_sources => 2,
    picture_file => 2,
    ping => 0,
    ready => 1,
    session_get => 1,
    sessions_list => 2,
    site => 1,
    settings_get => 1,
    sign_in_return => 0,
    sign_out => 0,
    status => 0,
    status_get => 1,
    user_active => 1,
    user_get => 1,
    user_groups => 2,
    user_info => 1,
    user_oauth_sessions => 2,
    user_permissions => 3,
    user_picture => 1,
    user_sessions_list => 3,
    users_own_groups => 2,
    variables_get => 2,
    users_own_permissions => 1,
    verify => 1,);

my @routes =
    grep { $_->{method} eq 'GET' && $_->{pool} ne 'DIRECTORY' } Roster::Tables::records('tables/routes.def', 'ROUTE');
for my $route (@routes) {
    my ($name, $path) = @$route{qw(name path)};
    $path =~ s/\{(\w+)\}/$in{$1} \/\/ die "$name: $1\n"/ge;
    my $who = $route->{who} eq 'ANYONE' ? undef : $route->{who} eq 'ADMIN' || $path =~ /key/ ? $admin : $caller;
    is statements($path, $who), $statements{$name}, "$name: GET $path";
}

# ---- The same where another host writes, so that the identity table is not used ----

sub keep_rows_for ($time) { return $roster->reconfigure(identity_cache => $time) }
my $other = Roster::Database->connect($roster->socket_path('mariadb'));
$other->run(q{SELECT GET_LOCK('roster 1 roster', 10)});
keep_rows_for('1h');
ok wait_until(20, sub { $roster->status->{identity_table}{state} eq 'shared-database' }), 'the table is not used';
is statements("/users/$shown->{id}", $caller), $statements{user_get}, 'a user is one statement then, too';
$other->disconnect;
keep_rows_for(0);

# ---- Changes: the caller with what is changed, and what changes it ----

# A transaction has two statements more, with which it begins and ends.
for my $case (
    ['/users/user/info/update', 2, {b => 3}],
    ['/users/user/settings/update', 2, {ui => {a => 2}}],
    ['/users/user/status/update', 2, {status_message => 'here'}],
    ['/auths/update/timezone', 2, {timezone => 'Asia/Tokyo'}],
    ['/auths/update/profile', 2, {name => 'Another', profile_image_url => '/user.png'}],
    # the primary administrator; the row, locked; its change
    [
        "/users/$shown->{id}/update", 6,
        {name => 'Third', email => $shown->{email}, role => 'user', profile_image_url => '/user.png'}
    ],)
{
    my ($path, $count, $change) = @$case;
    my $least;
    for my $number (1 .. 4) {
        my $answer = $roster->post($path, $path =~ m{^/users/[^/]+/update} ? $admin : $caller, $change);
        is $answer->{status}, 200, "POST $path";
        my $ran = $roster->access_line($answer)->{statements};
        $least = $ran if !defined $least || $ran < $least;
    }
    is $least, $count, "in $count statements";
}

# A new account: with the transaction and the session, and without reading what was written.
my $least;
for my $number (1 .. 4) {
    my %sent = (name => "N\x{e4}me", email => "Added$number\@EXAMPLE.org", password => $Roster::PASSWORD);
    $sent{profile_image_url} = 'https://example.org/b.png' if $number > 2;
    my $answer = $roster->call(user_add => 200, token => $admin->{token}, json => \%sent);
    my $ran = $roster->access_line($answer)->{statements};
    $least = $ran if !defined $least || $ran < $least;
    my $added = $answer->{json};
    $roster->secret($added->{token});
    my $read = $roster->call(user_get => 200, in => {user_id => $added->{id}}, token => $admin->{token})->{json};
    is_deeply [@$added{qw(email name role profile_image_url)}], [@$read{qw(email name role profile_image_url)}],
        'what a new account answers is what is read then';
}
is $least, 11, 'and nothing is read twice';

# The answer of a change is what the next request reads.
for my $columns ({name => "Z\x{fc}lal", role => 'pending'}, {role => 'user', settings => '{"ui":{"b":2}}'}) {
    my $user = $roster->add_user(last_active_at => time, %$columns);
    my $read = sub {
        my $json = $roster->call(user_get => 200, in => {user_id => $user->{id}}, token => $admin->{token})->{json};
        delete @$json{qw(groups is_active)};
        return $json;
    };
    for my $change (
        {},
        {name => "N\x{e4}me", role => 'admin'},
        {email => "changed.$user->{email}"},
        {profile_image_url => 'https://example.org/a.png'})
    {
        my %sent = (%{$read->()}{qw(name role email profile_image_url)}, %$change);
        my $answer = $roster->call(
            user_update => 200,
            in => {user_id => $user->{id}},
            token => $admin->{token},
            json => \%sent);
        is_deeply $answer->{json}, $read->(), 'what a change answers: ' . join ', ', sort keys %$change;
    }
}

# ---- Groups: a row for each, as long as they are few ----

for my $count (0, 1, 7, 8, 9, 12) {
    my $user = $roster->add_user(last_active_at => time);
    add_groups($user, "of-$count-", $count);
    my @order = map { $_->[0] } $roster->sql(
        'SELECT g.id FROM group_member m JOIN `group` g ON g.id = m.group_id WHERE m.user_id = ? '
            . 'ORDER BY g.updated_at DESC, g.id',
        $user->{id});
    my $answer = $roster->call(user_get => 200, in => {user_id => $user->{id}}, token => $caller->{token});
    is_deeply [map { $_->{id} } @{$answer->{json}{groups}}], \@order, "$count groups, the last changed one first";
    is_deeply [map { $_->{name} } @{$answer->{json}{groups}}], [map { "Group $_" } @order], 'with their names';
    my $features = $roster->call(users_own_permissions => 200, token => $user->{token})->{json}{features};
    is_deeply [sort grep { /^of-/ } keys %$features], [sort @order], 'and all their permissions';
    is $answer->{json}{name}, $user->{name}, 'of this user';
    my $more = $count > 8 ? 1 : 0;
    is statements("/users/$user->{id}", $caller), 1 + $more, "in @{[1 + $more]} statements";
    is statements('/users/permissions', $user), 1 + $more, 'the permissions, too';
}

# ---- Whom it is about ----

my $nobody = Roster::uuid();
$roster->call(user_get => 'USER_NOT_FOUND', in => {user_id => $nobody}, token => $caller->{token});
is statements("/users/$nobody", $caller), 1, 'nobody: one statement';
is_deeply $roster->call(user_active => 200, in => {user_id => $nobody}, token => $caller->{token})->{json},
    {active => JSON::PP::false}, 'nobody is not active';
$roster->call(user_picture => 'USER_NOT_FOUND', in => {user_id => $nobody}, token => $caller->{token});

my $pending = $roster->add_user(role => 'pending', last_active_at => time);
for my $id ($nobody, $shown->{id}) {
    $roster->call(user_get => 'ACCESS_PROHIBITED', in => {user_id => $id}, token => $pending->{token});
}

$roster->sql('INSERT INTO chat (id, user_id, share_id) VALUES (?, ?, ?)', 'chat', $shown->{id}, 'shared');
is $roster->call(user_get => 200, in => {user_id => 'shared-chat'}, token => $caller->{token})->{json}{id},
    $shown->{id}, 'the owner of a chat';
is $roster->call(user_get => 200, in => {user_id => $caller->{id}}, token => $caller->{token})->{json}{id},
    $caller->{id}, 'oneself';
is $roster->call(user_get => 200, in => {user_id => $shown->{id}}, token => $key->{api_key})->{json}{id}, $shown->{id},
    'with an API key, which reads nothing besides';

# ---- What is read in part ----

my %large = map { ($_ => sprintf '{"text":"%s"}', "\x{e9}" x $_) } 8186, 8187, 20_000;    # 16,383 bytes, 16,385, 40,011
for my $size (sort { $a <=> $b } keys %large) {
    $roster->sql('UPDATE user SET settings = ?, info = ? WHERE id = ?', @large{$size, $size}, $shown->{id});
    my $json = $roster->call(user_get => 200, in => {user_id => $shown->{id}}, token => $admin->{token})->{json};
    is_deeply [map { length $_->{text} } @$json{qw(settings info)}], [$size, $size],
        "documents of $size characters of two bytes";
    is statements("/users/$shown->{id}", $admin), length(Encode::encode('UTF-8', $large{$size})) > 16384 ? 3 : 1,
        'what is large is read by itself';
    is length $roster->call(settings_get => 200, token => $shown->{token})->{json}{text}, $size, 'settings';
    is length $roster->call(info_get => 200, token => $shown->{token})->{json}{text}, $size, 'info';
    is length $roster->call(status_get => 200, token => $shown->{token})->{json}{info}{text}, $size, 'User';
}
for my $case (
    ['/user.png' . 'x' x 2039, 1],
    ['/user.png' . 'x' x 2040, 0],
    ['/user.png' . "\x{e9}" x 1020, 0],
    ['DATA:text/plain,x', 0],
    ['datum', 1])
{
    my ($address, $stays) = @$case;
    my $what = substr($address, 0, 12) . ', ' . length $address;
    $roster->sql('UPDATE user SET profile_image_url = ?, profile_banner_image_url = ? WHERE id = ?',
        $address, $address, $shown->{id});
    my $json = $roster->call(user_get => 200, in => {user_id => $shown->{id}}, token => $admin->{token})->{json};
    is_deeply [@$json{qw(profile_image_url profile_banner_image_url)}],
        $stays ? [$address, $address] : ['/user.png', undef], $what;
}

done_testing;
