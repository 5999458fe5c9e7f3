# Who is here: sessions and API keys of everybody, when somebody was here last, and where a permission comes from.
use v5.36;
use utf8;

use Test::More;
use Roster;

my $roster = Roster->new;
my $now = time;
my $admin = $roster->add_user(role => 'admin', name => 'Ada', email => 'ada@example.org', created_at => $now - 200_000);
my ($bob, $carol, $dora) =
    map { $roster->add_user(name => ucfirst, email => "$_\@example.org") } qw(bob carol dora);
my ($true, $false) = (JSON::PP::true, JSON::PP::false);

sub ends_with ($result, $status, $pattern, $name) {
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    my $good = $result->{status} eq $status && ($status ? $result->{err} : $result->{out} . $result->{err}) =~ $pattern;
    return ok($good, $name) || diag "status $result->{status}\nout: $result->{out}\nerr: $result->{err}";
}

# ---- Who was here ----

my $made =
    $roster->ctl_json('user', 'add', '--email', 'eve@example.org', '--name', 'Eve', '--role', 'user', '--no-password');
my $list = sub {
    return {map { ($_->{email} => $_) } @{$roster->ctl_json('user', 'list')}};
};
is_deeply [@{$list->()->{'eve@example.org'}}{qw(last_active_at last_sign_in_at last_sign_in_address)}],
    [undef, undef, undef], 'who was never here has no time of it';
like $roster->ctl('user', 'list', 'eve@')->{out}, qr/ eve\@example\.org +user +active +- +\d{4}-\d\d-\d\d \d\d:\d\d$/m,
    '... nor in the table';
like $roster->ctl('user', 'show', 'eve@example.org')->{out},
    qr/^last_active_at +never\nlast_sign_in_at +-\nlast_sign_in_address +-\nemail_verified_at +-\nsessions +0\nkeys +0\npassword +none\nsecond_factor +no\ndisabled +no$/m,
    '... nor alone';
my $bobs = $roster->new_session($bob);
my $seen = $list->()->{'bob@example.org'};
cmp_ok abs($seen->{last_sign_in_at} - $now), '<', 120, 'who signs in was here';
is $seen->{last_active_at}, $seen->{last_sign_in_at}, '... and is active with it, at first';
ok length $seen->{last_sign_in_address}, '... from an address';
$roster->sql('UPDATE user SET last_active_at = ? WHERE id = ?', $now + 50, $bob->{id});
is $roster->ctl_json('user', 'show', 'bob@example.org')->{last_active_at}, $now + 50, '... and later by what is done';
$roster->sql('UPDATE user SET last_sign_in_at = NULL, last_active_at = created_at + 1 WHERE id = ?', $carol->{id});
is $list->()->{'carol@example.org'}{last_active_at}, $list->()->{'carol@example.org'}{created_at} + 1,
    'who was here before sign-ins were noted, was here';

$roster->ctl('user', 'disable', 'dora@example.org');
$roster->sql('UPDATE auth SET must_change = 1 WHERE id = ?', $carol->{id});
is_deeply [map { [@$_{qw(disabled has_password must_change_password session_count key_count)}] }
        @{$list->()}{map { "$_\@example.org" } qw(bob carol dora eve)}],
    [
    [$false, $true, $false, 1, 0],
    [$false, $true, $true, 0, 0],
    [$true, $true, $false, 0, 0],
    [$false, $false, $false, 0, 0]
    ],
    'what an account is, in JSON';
like $roster->ctl('user', 'list', "$_->[0]\@")->{out}, qr/ user +\Q$_->[1]\E  /, "$_->[0] is $_->[1]"
    for ['bob', 'active'], ['carol', 'must change password'], ['dora', 'disabled'];
like $roster->ctl('user', 'show', 'carol@example.org')->{out},
    qr/^password +must be changed\nsecond_factor +no\ndisabled +no$/m,
    'a password that must be changed';
like $roster->ctl('user', 'show', 'dora@example.org')->{out}, qr/^password +set\nsecond_factor +no\ndisabled +yes$/m,
    'a disabled account';
$roster->sql(
    'INSERT INTO user (id, email, name) VALUES ' . join ', ',
    map { "('m$_', 'm$_\@many.example.org', 'M')" } 1 .. 65);
is scalar @{$roster->ctl_json('user', 'list', 'many.example.org')}, 65, 'lists of several pages are whole';

# ---- Sessions ----

$roster->sql('DELETE FROM session');
my %session = (
    new => [$bob, 60, 30, '192.0.2.7'],
    idle => [$bob, 9 * 86_400, 8 * 86_400, '192.0.2.9'],
    old => [$carol, 20 * 86_400, 100, '2001:db8:1::5'],
    unknown => [$admin, 50, 40, undef],
    over => [$carol, 60, 30, '192.0.2.7', $now - 1],
    ended => [$carol, 60, 30, '192.0.2.7', undef, $now - 1]);
for my $jti (keys %session) {
    my ($user, $created, $seen, $address, $expires, $revoked) = @{$session{$jti}};
    $roster->sql(
        'INSERT INTO session (jti, user_id, created_at, last_seen_at, address, user_agent, expires_at, revoked_at) '
            . 'VALUES (?, ?, ?, ?, ?, ?, ?, ?)',
        $jti, $user->{id}, $now - $created, $now - $seen, $address, "Browser of $jti", $expires, $revoked);
}

sub sessions (@filter) {
    return join ' ', split /\n/, $roster->ctl('--quiet', 'session', 'list', @filter)->{out};
}
is sessions(), 'new unknown old idle', 'all valid sessions, last seen first';
is sessions('bob@example.org'), 'new idle', '... of a user';
is sessions($carol->{id}), 'old', '... by id';
is sessions('--active', '90s'), 'new unknown', '... of who is here';
is sessions('--idle', '1w'), 'idle', '... of who is not';
is sessions('--older', '2w'), 'old', '... by age';
is sessions('--older', '1w', '--active', '10m'), 'old', '... by both';
is sessions('--address', '192.0.2.7'), 'new', '... from an address';
is sessions('--address', '192.0.2.0/24'), 'new idle', '... from a network';
is sessions('--address', '2001:db8:1::/48', '--older', '1d'), 'old', '... of IPv6';
is sessions('--address', '198.51.100.1'), '', '... or none';
is sessions('bob@example.org', '--address', '192.0.2.7'), 'new', '... of a user from an address';
my ($first) = @{$roster->ctl_json('session', 'list')};
is_deeply $first,
    {
    jti => 'new',
    user_id => $bob->{id},
    email => 'bob@example.org',
    name => 'Bob',
    created_at => $now - 60,
    last_seen_at => $now - 30,
    expires_at => undef,
    idle_at => undef,
    address => '192.0.2.7',
    user_agent => 'Browser of new'
    },
    'one in JSON';
like $roster->ctl('session', 'list')->{out},
    qr/\ASESSION +USER +SIGNED IN +LAST SEEN +ENDS +ADDRESS +BROWSER\nnew +bob\@example\.org +\d{4}-/, 'on paper';
unlike $roster->ctl('user', 'sessions', 'bob@example.org')->{out}, qr/USER|bob\@/, 'those of a user do not repeat it';
ends_with $roster->ctl('session', 'list', 'nobody@example.org'), 3, qr/no such user/, 'a user whom there is not';
ends_with $roster->ctl('session', 'list', '--idle', 'long'), 2, qr/--idle: `long' is not a valid duration/,
    'a time that is none';
ends_with $roster->ctl('session', 'list', '--address', 'home'), 2, qr/--address: "home" is not an address/,
    'an address that is none';

my $real = $roster->new_session($bob);
my $jti = Roster::claims_of($real)->{jti};
ends_with $roster->ctl('session', 'end', $jti, 'nothing'), 3, qr/nothing: there is no such session; nothing was done/,
    'a session that there is not';
ends_with $roster->ctl('session', 'end', 'over'), 3, qr/no such session/, 'one that is over';
is $roster->get('/auths/', $real)->{status}, 200, '... and no other is ended';
ends_with $roster->ctl('session', 'end', $jti, 'old', $jti), 0,
    qr/\AEnded a session of Bob <bob\@example\.org>, signed in \S+ \S+ from \S+\.\nEnded a session of Carol .* from 2001:db8:1::5\.\n\z/,
    'two are ended, whosever they are';
is_problem $roster->get('/auths/', $real), 401, 'INVALID_TOKEN', 'the token is refused';
is $roster->redis('EXISTS', "open-webui:auth:token:$jti:revoked"), 1, '... and Redis tells others';
is sessions(), 'new unknown idle', 'the others go on';

# ---- API keys ----

is $roster->ctl('settings', 'set', 'ENABLE_API_KEYS=yes')->{status}, 0, 'keys are on';
is $roster->ctl('permissions', 'default', 'features.api_keys=yes')->{status}, 0, '... for everybody';
my %key;
for my $case (['bob'], ['bob', '--name', 'Backup', '--expires', '2d', '--routes', '/users'], ['ada', '--name', 'Old']) {
    my ($who, @options) = @$case;
    my $made = $roster->ctl_json('key', 'add', "$who\@example.org", @options);
    $roster->secret($made->{api_key});
    $key{$options[1] // 'primary'} = $made;
}
is $roster->request(GET => '/auths/', headers => ['x-api-key', $key{primary}{api_key}])->{status}, 200, 'a key is used';
ok wait_until(10, sub { $roster->sql('SELECT COUNT(*) FROM api_key WHERE last_used_at IS NOT NULL') == 1 }),
    '... which is noted';
$roster->sql('UPDATE api_key SET created_at = ? WHERE name = ?', $now - 100 * 86_400, 'Old');
my $keys = $roster->ctl_json('key', 'list');
is_deeply [map { [@$_{qw(email id name)}] } @$keys],
    [
    ['ada@example.org', $key{Old}{id}, 'Old'],
    ['bob@example.org', 'primary', undef],
    ['bob@example.org', $key{Backup}{id}, 'Backup']
    ],
    'the keys of everybody';
cmp_ok abs($keys->[1]{last_used_at} - time), '<', 60, '... with the last use';
cmp_ok abs($keys->[2]{expires_at} - time - 2 * 86_400), '<', 60, '... and the end';
is_deeply $keys->[2]{routes}, ['/users'], '... and the paths';
like $keys->[0]{api_key}, qr/\Ask-…[0-9a-f]{4}\z/, '... masked';
is_deeply [split /\n/, $roster->ctl('-q', 'key', 'list')->{out}],
    ["$admin->{id} $key{Old}{id}", "$bob->{id} primary", "$bob->{id} $key{Backup}{id}"],
    '--quiet has what `key delete\' takes';
is $roster->ctl('-q', 'key', 'list', '--unused', '90d')->{out}, "$admin->{id} $key{Old}{id}\n",
    'those that nobody uses';
is $roster->ctl('-q', 'key', 'list', '--expired')->{out}, '', 'none has expired';
$roster->sql('UPDATE api_key SET expires_at = ? WHERE name = ?', $now - 1, 'Backup');
is $roster->ctl('-q', 'key', 'list', '--expired')->{out}, "$bob->{id} $key{Backup}{id}\n", 'one has';
is_deeply [map { $_->{id} } @{$roster->ctl_json('key', 'list', 'bob@example.org')}], ['primary', $key{Backup}{id}],
    'those of a user';
is $roster->ctl('-q', 'key', 'list', 'bob@example.org', '--expired')->{out}, "$key{Backup}{id}\n",
    '... that have expired';
unlike $roster->ctl('key', 'list', 'bob@example.org')->{out}, qr/USER|bob\@/, '... do not repeat the user';
ends_with $roster->ctl('key', 'list', '--unused', 'x'), 2, qr/--unused: `x' is not a valid duration/,
    'a time that is none';
is $roster->ctl_json('user', 'show', 'bob@example.org')->{key_count}, 2, 'their number';

# ---- Permissions ----

my %group;
for my $name (qw(Staff Sales Guests)) {
    chomp($group{$name} = $roster->ctl('-q', 'group', 'add', $name)->{out});
}
$roster->ctl('group', 'add-member', $_, 'carol@example.org') for qw(Staff Sales);
$roster->ctl('permissions', 'group', 'Staff', 'workspace.models=yes', 'chat.delete=no', 'sharing.notes=yes');
$roster->ctl('permissions', 'group', 'Sales', 'sharing.notes=yes', 'sharing.tools=no');
$roster->ctl('permissions', 'group', 'Guests', 'workspace.tools=yes');
$roster->sql(
    q(UPDATE `group` SET permissions = JSON_MERGE_PATCH(permissions, '{"own":{"deep":{"x":true}},"chat":7}') WHERE name = ?),
    'Sales');
$roster->ctl('permissions', 'default', 'chat.edit=no', 'workspace.prompts=yes');
my $answer = $roster->call(user_permissions => 200, in => {user_id => $carol->{id}}, token => $admin->{token});
my $sources = $answer->{json};
my %expected = (
    'workspace.models' => [$true, $group{Staff}],
    'chat.delete' => [$true, 'default'],
    'sharing.notes' => [$true, sort @group{qw(Staff Sales)}],
    'sharing.tools' => [$false, 'default', $group{Sales}],
    'chat.edit' => [$false, 'default'],
    'workspace.prompts' => [$true, 'default'],
    'workspace.tools' => [$false, 'default'],
    'features.api_keys' => [$true, 'default']);
for my $name (sort keys %expected) {
    my ($section, $key) = split /\./, $name;
    my ($value, @from) = @{$expected{$name}};
    is_deeply [$sources->{$section}{$key}{value}, sort @{$sources->{$section}{$key}{from}}], [$value, sort @from],
        "$name: where it comes from";
}
is_deeply $sources->{own}{deep}{x}, {value => $true, from => [$group{Sales}]}, 'what a group has of its own, too';
my $values = sub ($object, $self) {
    return $object->{value} if exists $object->{from} && ref $object->{from} eq 'ARRAY';
    return {map { ($_ => $self->($object->{$_}, $self)) } keys %$object};
};
$roster->sql('UPDATE auth SET must_change = 0 WHERE id = ?', $carol->{id});
is_deeply $values->($sources, $values), $roster->get('/users/permissions', $carol)->{json},
    'the values are the effective permissions';
$roster->call(user_permissions => 'USER_NOT_FOUND', in => {user_id => 'nobody'}, token => $admin->{token});

is_deeply $roster->ctl_json('permissions', 'show', 'carol@example.org', '--sources'), $sources,
    'rosterctl says the same';
is_deeply $roster->ctl_json('permissions', 'show', 'carol@example.org'), $values->($sources, $values),
    '... and without --sources what it always said';
my $shown = $roster->ctl('permissions', 'show', 'carol@example.org')->{out};
like $shown, $_, "on paper: $_"
    for qr/\APERMISSION +GRANTED +FROM\n/, qr/^workspace\.models +yes +Staff$/m, qr/^chat\.edit +no +default$/m,
    qr/^sharing\.tools +no +default, Sales$/m, qr/^own\.deep\.x +yes +Sales$/m;
is_deeply [
    sort grep { /^(?:own|workspace)/ } split /\n/,
    $roster->ctl('-q', 'permissions', 'show', 'carol@example.org')->{out}
    ],
    [qw(workspace.models workspace.prompts)], '--quiet lists what is granted';
ends_with $roster->ctl('permissions', 'show', '--sources'), 2, qr/--sources needs a user/,
    'the default permissions have no other source';
$roster->sql('DELETE FROM config');
is_deeply $roster->ctl_json('permissions', 'show', 'carol@example.org', '--sources')->{chat}{edit},
    {value => $true, from => ['default']}, 'where nothing is stored, the default is that of a new installation';

done_testing;
