# API keys: the one key of the original, named keys, and that a key obeys the same rules wherever it stands in a
# request.
use v5.36;
use utf8;

use Digest::SHA 'sha256_hex';
use Test::More;
use Roster;

binmode Test::More->builder->$_, ':utf8' for qw(output failure_output todo_output);

my $roster = Roster->new(config => {rate_limit_api_key => 10000});
my $admin = $roster->add_user(role => 'admin');
my $user = $roster->add_user;
my $other = $roster->add_user;

# What settings and the user's permission say of keys.
sub set_up_keys (%options) {
    my $boolean = sub ($name) { return $options{$name} ? JSON::PP::true : JSON::PP::false };
    my %document = (
        auth => {
            enable_api_keys => $boolean->('on'),
            api_key => {endpoint_restrictions => $boolean->('restricted'), allowed_endpoints => $options{allowed} // ''}
        },
        user => {permissions => {features => {api_keys => $boolean->('granted')}}});
    $roster->sql('DELETE FROM config');
    $roster->sql('INSERT INTO config (data) VALUES (?)', JSON::PP->new->encode(\%document));
    return;
}

sub mask ($key) { return 'sk-…' . substr $key, -4 }

my $fault = sub ($answer, $type, @loc) {
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    is $answer->{status}, 422, "$type at " . join('.', @loc) . ': 422' or diag $answer->{body};
    is_deeply [map { {type => $_->{type}, loc => $_->{loc}} } @{$answer->{json}{detail}}],
        [{type => $type, loc => \@loc}], '... with type and place';
};

# ---- Making ----

set_up_keys(granted => 1);
for my $path ('/auths/api_key', '/auths/api_keys') {
    my $body = $path =~ /s$/ ? {name => 'x'} : undef;
    is_problem $roster->post($path, $admin, $body), 403, 'API_KEY_CREATION_NOT_ALLOWED',
        "POST $path: keys are off, for administrators too";
    is_problem $roster->post($path, $user, $body), 403, 'API_KEY_CREATION_NOT_ALLOWED', "POST $path: keys are off";
}
set_up_keys(on => 1);
for my $path ('/auths/api_key', '/auths/api_keys') {
    my $body = $path =~ /s$/ ? {name => 'x'} : undef;
    is_problem $roster->post($path, $user, $body), 403, 'API_KEY_CREATION_NOT_ALLOWED',
        "POST $path: the permission is missing";
    is $roster->post($path, $admin, $body)->{status}, 200, "POST $path: an administrator needs none";
}
set_up_keys(on => 1, granted => 1);

# ---- The one key ----

is_problem $roster->get('/auths/api_key', $user), 404, 'API_KEY_NOT_FOUND', 'no key yet';
is $roster->ask(DELETE => '/auths/api_key', $user)->{body}, 'true', 'removing none is true';
my $answer = $roster->ask(POST => '/auths/api_key', $user);
my $key = $answer->{json}{api_key};
is_deeply [keys %{$answer->{json}}], ['api_key'], 'the answer is the key';
like $key, qr/^sk-[0-9a-f]{32}$/, 'sk- and 32 hexadecimal digits';
is $roster->get('/auths/api_key', $user)->{json}{api_key}, mask($key), 'shown masked afterwards';
is $roster->sql('SELECT `key` FROM api_key WHERE user_id = ?', $user->{id}), 'sha256:' . sha256_hex($key),
    'only its hash is stored';
is $roster->get('/users/user/status', $key)->{json}{id}, $user->{id}, 'it works';
my $second = $roster->ask(POST => '/auths/api_key', $user)->{json}{api_key};
isnt $second, $key, 'a second POST makes another';
is_problem $roster->get('/users/user/status', $key), 401, 'INVALID_TOKEN', 'the first one works no more';
is $roster->get('/users/user/status', $second)->{status}, 200, 'the second does';
is $roster->sql('SELECT COUNT(*) FROM api_key WHERE user_id = ?', $user->{id}), 1, 'one is there';
is_problem $roster->get('/auths/api_key', $other), 404, 'API_KEY_NOT_FOUND', "another user's key is their own affair";
is_problem $roster->get('/users/user/status', 'sha256:' . sha256_hex($second)), 401, 'UNAUTHORIZED',
    'the hash is no key';

subtest 'twenty at once leave one' => sub {
    my $make = sub {
        map { $roster->ask(POST => '/auths/api_key', $other)->{status} } 1 .. 5;
    };
    is_deeply [map { @$_ } at_once(($make) x 4)], [(200) x 20], 'all get a key';
    is $roster->sql('SELECT COUNT(*) FROM api_key WHERE user_id = ?', $other->{id}), 1, 'one stays';
    is $roster->ask(DELETE => '/auths/api_key', $other)->{body}, 'true', 'it is removed';
};

# ---- Where a key stands ----

my %ways = (
    'Authorization' => sub ($key) { return (token => $key) },
    'x-api-key' => sub ($key) { return (headers => ['x-api-key' => $key]) },
    'cookie' => sub ($key) { return (cookie => $key) });
my $by = sub ($way, $path, $key, $method = 'GET') { return $roster->request($method => $path, $ways{$way}->($key)) };

for my $case (
    ['all is well', {on => 1, granted => 1}, '200'],
    ['keys are off', {granted => 1}, '403 API_KEY_NOT_ALLOWED'],
    ['the permission is missing', {on => 1}, '403 API_KEY_NOT_ALLOWED'],
    [
        'another path is listed',
        {on => 1, granted => 1, restricted => 1, allowed => '/users/user/info, /api/v1/groups'},
        '403 API_KEY_ENDPOINT_NOT_ALLOWED'
    ],
    [
        'a path that starts alike is listed',
        {on => 1, granted => 1, restricted => 1, allowed => '/users/user/stat'},
        '403 API_KEY_ENDPOINT_NOT_ALLOWED'
    ],
    ['no path is listed', {on => 1, granted => 1, restricted => 1}, '403 API_KEY_ENDPOINT_NOT_ALLOWED'],
    ['the path is listed', {on => 1, granted => 1, restricted => 1, allowed => '/api/v1/users/user/status'}, '200'],
    ['one above is listed', {on => 1, granted => 1, restricted => 1, allowed => '/groups,/users'}, '200'])
{
    my ($name, $settings, $expected) = @$case;
    set_up_keys(%$settings);
    is in_short($by->($_, '/users/user/status', $second)), $expected, "$name: $expected by $_" for sort keys %ways;
}
set_up_keys(on => 1, granted => 1);
is in_short($by->($_, '/users/user/status', 'sk-' . '0' x 32)), '401 INVALID_TOKEN', "an unknown key by $_"
    for sort keys %ways;
is in_short($by->($_, '/users/all', $second)), '401 ACCESS_PROHIBITED', "the caller's role counts by $_"
    for sort keys %ways;
{
    my $answer = $by->('cookie', '/auths/', $second);
    is $answer->{json}{token}, undef, 'the session of a key shows no token';
    is $answer->{json}{expires_at}, undef, 'and no expiry';
    is $answer->{headers}{'set-cookie'}, undef, 'and sets no cookie';
}

# ---- Moved over from the original ----

{
    my $plain = $roster->secret('sk-' . 'AbCdEf0123456789' x 2);
    my $moved = $roster->add_user;
    $roster->sql('INSERT INTO api_key (id, user_id, `key`, created_at, updated_at) VALUES (?, ?, ?, 1, 1)',
        "key_$moved->{id}", $moved->{id}, $plain);
    is $roster->get('/auths/api_key', $moved)->{json}{api_key}, mask($plain), 'a plain key is masked';
    is_problem $roster->get('/users/user/status', lc $plain), 401, 'INVALID_TOKEN', 'its case counts';
    is $roster->get('/users/user/status', $plain)->{json}{id}, $moved->{id}, 'it works';
    ok wait_until(
        5,
        sub {
            $roster->sql('SELECT `key` FROM api_key WHERE user_id = ?', $moved->{id}) eq 'sha256:' . sha256_hex($plain);
        }
        ),
        'at first use it is hashed';
    is $roster->get('/users/user/status', $plain)->{json}{id}, $moved->{id}, 'and works on';
    is $roster->get('/auths/api_key', $moved)->{json}{api_key}, mask($plain), 'and is masked as before';
}

# ---- Named keys ----

my $soon = time + 3600;
my $named = $roster->post('/auths/api_keys', $user,
    {name => 'Build', expires_at => $soon, routes => ['/api/v1/users/user/', '/groups']})->{json};
is_deeply [sort keys %$named], [sort qw(id name api_key expires_at last_used_at routes created_at updated_at)],
    'a named key has these members';
like $named->{api_key}, qr/^sk-[0-9a-f]{32}$/, 'it is shown whole when it is made';
is $named->{expires_at}, $soon, 'its expiry is kept';
is_deeply $named->{routes}, ['/users/user', '/groups'], 'its paths are kept without /api/v1 and slashes at the end';
is $named->{last_used_at}, undef, 'it was not used yet';
my %masked = (%$named, api_key => mask($named->{api_key}));
is_deeply $roster->get("/auths/api_keys/$named->{id}", $user)->{json}, \%masked, 'shown masked afterwards';
is_deeply $roster->get('/auths/api_keys', $user)->{json}, [\%masked],
    'in the list, too, which the one key is not part of';
is $roster->get('/auths/api_key', $user)->{json}{api_key}, mask($second), 'the one key is not touched';
my $free = $roster->post('/auths/api_keys', $user, {name => 'Free'})->{json};
is_deeply [@$free{qw(expires_at routes)}], [undef, undef], 'expiry and paths may be left out';
$roster->sql('UPDATE api_key SET created_at = created_at + 1 WHERE id = ?', $free->{id});
is_deeply [map { $_->{name} } @{$roster->get('/auths/api_keys', $user)->{json}}], ['Build', 'Free'],
    'the list is in the order of making';

$fault->(
    $roster->post('/auths/api_keys', $user, {name => 'x', expires_at => time - 1}),
    'greater_than', 'body', 'expires_at');
$fault->(
    $roster->post('/auths/api_keys', $user, {name => 'x', routes => ['/users', 'users']}),
    'string_pattern_mismatch', 'body', 'routes', 1);
$fault->(
    $roster->post('/auths/api_keys', $user, {name => 'x', routes => ['/api/v1/']}),
    'string_pattern_mismatch', 'body', 'routes', 0);
$fault->(
    $roster->post('/auths/api_keys', $user, {name => 'x', routes => ['/' . 'x' x 300]}),
    'string_too_long', 'body', 'routes', 0);
$fault->($roster->post('/auths/api_keys', $user, {name => 'x', routes => [('/x') x 101]}), 'too_long', 'body',
    'routes');
$fault->($roster->post('/auths/api_keys', $user, {name => ''}), 'string_too_short', 'body', 'name');
$fault->($roster->post('/auths/api_keys', $user, {}), 'missing', 'body', 'name');
is
    scalar @{$roster->post('/auths/api_keys', $user, {name => 'x', expires_at => 5, routes => ['a', '/b', 'c']})
        ->{json}{detail}}, 3, 'all faults are told at once';
is scalar @{$roster->get('/auths/api_keys', $user)->{json}}, 2, 'none of these made a key';

subtest 'paths of a key' => sub {
    my %expected = (
        '/users/user/status' => '200',
        '/api/v1/users/user/status' => '200',
        '/users/user/info/' => '200',
        '/groups' => '200',
        '/groups/' => '200',
        '/users/search' => '403 API_KEY_ENDPOINT_NOT_ALLOWED',
        '/auths/' => '403 API_KEY_ENDPOINT_NOT_ALLOWED',
        '/users/groups' => '403 API_KEY_ENDPOINT_NOT_ALLOWED',
        '/users/%75ser/status' => '200',
        "/users/$user->{id}" => '403 API_KEY_ENDPOINT_NOT_ALLOWED');
    for my $path (sort keys %expected) {
        is in_short($by->($_, $path, $named->{api_key})), $expected{$path}, "$path by $_" for sort keys %ways;
    }
    is in_short($roster->get('/users/search', $free->{api_key})), '200', 'a key without a list may call all';
    is $roster->post("/auths/api_keys/$free->{id}", $user, {routes => []})->{status}, 200, 'an empty list';
    is in_short($roster->get('/users/search', $free->{api_key})), '403 API_KEY_ENDPOINT_NOT_ALLOWED',
        '... allows nothing';
};

subtest 'changing' => sub {
    my $path = "/auths/api_keys/$named->{id}";
    $roster->sql('UPDATE api_key SET updated_at = 5 WHERE id = ?', $named->{id});
    my $changed = $roster->post($path, $user, {name => 'Built'})->{json};
    is_deeply [@$changed{qw(name expires_at routes api_key)}],
        ['Built', $soon, ['/users/user', '/groups'], mask($named->{api_key})], 'what is absent stays';
    cmp_ok $changed->{updated_at}, '>', 5, 'updated_at is set';
    $changed = $roster->post($path, $user, {expires_at => undef})->{json};
    is_deeply [@$changed{qw(name expires_at routes)}], ['Built', undef, ['/users/user', '/groups']],
        'a null expiry clears it';
    $changed = $roster->post($path, $user, {routes => undef, expires_at => $soon + 5, name => undef})->{json};
    is_deeply [@$changed{qw(name expires_at routes)}], ['Built', $soon + 5, undef], 'null routes clear them';
    $fault->($roster->post($path, $user, {expires_at => 1}), 'greater_than', 'body', 'expires_at');
    $fault->($roster->post($path, $user, {routes => ['x']}), 'string_pattern_mismatch', 'body', 'routes', 0);
    for my $call ([GET => $path], [POST => $path, {name => 'theirs'}], [DELETE => $path]) {
        my ($method, $target, $body) = @$call;
        is_problem $roster->ask($method => $target, $_, json => $body), 404, 'API_KEY_NOT_FOUND',
            "$method by " . ($_ == $admin ? 'an administrator' : 'somebody else')
            for $other, $admin;
    }
    is_problem $roster->ask($_ => '/auths/api_keys/none', $user, json => $_ eq 'POST' ? {name => 'x'} : undef), 404,
        'API_KEY_NOT_FOUND', "$_ of an unknown one"
        for qw(GET POST DELETE);
    my $primary = $roster->sql('SELECT id FROM api_key WHERE user_id = ? AND is_primary = 1', $user->{id});
    is_problem $roster->ask($_ => "/auths/api_keys/$primary", $user, json => $_ eq 'POST' ? {name => 'x'} : undef),
        404, 'API_KEY_NOT_FOUND', "$_ of the one key"
        for qw(GET POST DELETE);
};

subtest 'expiry and last use' => sub {
    ok wait_until(5, sub { defined $roster->get("/auths/api_keys/$named->{id}", $user)->{json}{last_used_at} }),
        'last_used_at is kept';
    $roster->sql('UPDATE api_key SET expires_at = ? WHERE id = ?', time - 1, $named->{id});
    is in_short($by->($_, '/users/user/status', $named->{api_key})), '401 INVALID_TOKEN', "an expired key by $_"
        for sort keys %ways;
    $roster->sql('UPDATE api_key SET expires_at = NULL WHERE id = ?', $named->{id});
    is $roster->get('/users/user/status', $named->{api_key})->{status}, 200, 'without the expiry it works again';
};

subtest 'a key lifts no limits' => sub {
    my $path = "/auths/api_keys/$named->{id}";
    my ($narrow, $wide) = ($roster->secret('sk-' . 'n' x 32), $free->{api_key});
    my $restricted = $roster->post('/auths/api_keys', $user,
        {name => 'Narrow', expires_at => time + 60, routes => ['/auths/api_keys']})->{json};
    $roster->sql('UPDATE api_key SET routes = NULL WHERE id = ?', $free->{id});
    for my $key ($restricted->{api_key}, $wide) {
        is_problem $roster->post("/auths/api_keys/$restricted->{id}", $key, {expires_at => undef, routes => undef}),
            403, 'SESSION_REQUIRED', 'it does not change itself';
        is_problem $roster->post($path, $key, {name => 'x'}), 403, 'SESSION_REQUIRED', '... nor another';
        is_problem $roster->post('/auths/api_keys', $key, {name => 'x'}), 403, 'SESSION_REQUIRED', '... makes none';
        is_problem $roster->post('/auths/api_keys', $key, {}), 403, 'SESSION_REQUIRED', '... whatever the body is';
        is_problem $roster->ask(DELETE => $path, $key), 403, 'SESSION_REQUIRED', '... and removes none';
        is $roster->get("/auths/api_keys/$restricted->{id}", $key)->{json}{name}, 'Narrow', 'reading is allowed';
        is scalar @{$roster->get('/auths/api_keys', $key)->{json}}, 3, '... also the list';
    }
    is_problem $roster->ask($_ => '/auths/api_key', $wide), 403, 'SESSION_REQUIRED', "$_ of the one key"
        for qw(POST DELETE);
    is $roster->get('/auths/api_key', $wide)->{status}, 200, 'GET of it';
    is $roster->sql('SELECT CONCAT(expires_at IS NULL, routes) FROM api_key WHERE id = ?', $restricted->{id}),
        '0["/auths/api_keys"]', 'all is as it was';
    is_problem $roster->post('/auths/update/password', $wide,
        {password => $user->{password}, new_password => 'something else entirely'}),
        403, 'SESSION_REQUIRED', 'it changes no password';
    is $roster->request(GET => '/users/user/status', $ways{$_}->($wide))->{status}, 200, "elsewhere it works, by $_"
        for sort keys %ways;
    is_problem $roster->request(POST => '/auths/api_keys', $ways{$_}->($wide), json => {name => 'x'}), 403,
        'SESSION_REQUIRED', "... and there it does not, by $_"
        for sort keys %ways;
    is $roster->ask(DELETE => "/auths/api_keys/$restricted->{id}", $user)->{body}, 'true', 'a session removes it';
};

subtest "an administrator's key" => sub {
    my $key = $roster->ask(POST => '/auths/api_key', $admin)->{json}{api_key};
    my %row = ((map { ($_ => $other->{$_}) } qw(role name email)), profile_image_url => '/user.png');
    is_problem $roster->post("/users/$other->{id}/update", $key, {%row, password => 'something else entirely'}), 403,
        'SESSION_REQUIRED', 'changes no password of others';
    is_problem $roster->post('/users/nobody/update', $key, {%row, password => 'something else entirely'}), 400,
        'USER_NOT_FOUND', '... of nobody';
    is $roster->post("/users/$other->{id}/update", $key, {%row, name => 'Renamed', password => $_})->{json}{name},
        'Renamed', '... but the rest'
        for '', undef;
    is $roster->post('/auths/signin', undef, {email => $other->{email}, password => $other->{password}})->{status}, 200,
        'the password is what it was';
    my $settings = $roster->settings($key);
    is $roster->post('/auths/admin/config', $key, {%$settings, SHOW_ADMIN_DETAILS => JSON::PP::false})->{status}, 200,
        'changes settings';
    for my $change (
        [ENABLE_API_KEYS => JSON::PP::false],
        [ENABLE_API_KEYS_ENDPOINT_RESTRICTIONS => JSON::PP::true],
        [API_KEYS_ALLOWED_ENDPOINTS => '/users'])
    {
        is_problem $roster->post('/auths/admin/config', $key, {%$settings, @$change}), 403, 'SESSION_REQUIRED',
            "but not $change->[0]: that is what keys may do";
    }
    is_deeply $roster->settings($admin), {%$settings, SHOW_ADMIN_DETAILS => JSON::PP::false},
        'none of that was changed';
    is $roster->post('/auths/admin/config', $admin, $settings)->{status}, 200, 'a session changes all of them';
};

subtest 'removing' => sub {
    is $roster->ask(DELETE => "/auths/api_keys/$named->{id}", $user)->{body}, 'true', 'the answer is true';
    is_problem $roster->get('/users/user/status', $named->{api_key}), 401, 'INVALID_TOKEN', 'the key works no more'
        for 1 .. 3;
    is_problem $roster->ask(DELETE => "/auths/api_keys/$named->{id}", $user), 404, 'API_KEY_NOT_FOUND',
        'a second time it is not found';
    is $roster->ask(DELETE => '/auths/api_key', $user)->{body}, 'true', 'the one key goes';
    is_problem $roster->get('/users/user/status', $second), 401, 'INVALID_TOKEN', 'and works no more';
    is_deeply [map { $_->{id} } @{$roster->get('/auths/api_keys', $user)->{json}}], [$free->{id}],
        'the other named key stays';
    set_up_keys(granted => 1);
    is $roster->ask(DELETE => "/auths/api_keys/$free->{id}", $user)->{body}, 'true',
        'a key can be removed while keys are off';
    is $roster->sql('SELECT COUNT(*) FROM api_key WHERE user_id = ?', $user->{id}), 0, 'nothing is left';
};

done_testing;
