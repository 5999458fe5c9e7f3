# Every row of routes.def, asked by everybody: who may not call is told so, and who may is not.
#
# Whatever stands in a path is unknown, and bodies are empty objects: what matters is who gets past the first stages,
# not what they find there.
use v5.36;

use Test::More;
use Roster;
use Roster::Tables;

my $roster = Roster->new(config => {rate_limits => 'no', last_active_interval => '1d'});

my @routes = Roster::Tables::records('tables/routes.def', 'ROUTE');
{
    cmp_ok scalar(@routes), '>=', 60, 'there are many rows';
    # What an API key may not do, said once more, so that a row that loses its SESSION is noticed.
    is_deeply [sort map { $_->{name} } grep { $_->{takes} eq 'SESSION' } @routes], [
        sort qw(
            api_key_set api_key_delete api_keys_create api_keys_update api_keys_delete sessions_end session_end
            user_sessions_end user_session_end password_update admin_api_key_delete mfa_status
            mfa_choose mfa_replace mfa_recovery_codes mfa_remove
            own_export user_export user_erase confirm
        )
        ],
        'keys make, change and remove no keys, end no sessions, change and confirm no password, and neither export nor erase anybody';
}

# ---- The callers ----

# API keys are on, and everybody may have one.
$roster->sql('INSERT INTO config (data) VALUES (?)',
    '{"auth": {"enable_api_keys": true}, "user": {"permissions": {"features": {"api_keys": true}}}}');
$roster->add_user(role => 'admin', created_at => 1);    # the primary one, whom nobody here is

# Each cell of the matrix has a user of its own, since some of these requests end sessions or replace keys.
my $now = time;
sub person ($role) { return $roster->add_user(role => $role, last_active_at => $now) }

sub key_of ($role, $routes = undef) {
    my $key = $roster->secret('sk-' . unpack 'H32', Roster::random_bytes(16));
    $roster->sql(
        'INSERT INTO api_key (id, user_id, `key`, routes, is_primary, created_at, updated_at) '
            . 'VALUES (?, ?, ?, ?, 1, 1, 1)',
        Roster::uuid(), person($role)->{id}, 'sha256:' . Digest::SHA::sha256_hex($key), $routes);
    return $key;
}

# name, what is sent, what comes before the role is looked at (status and code), the role
my @callers = (
    ['nobody', sub { () }, '401 NOT_AUTHENTICATED'],
    ['a malformed header', sub { (headers => [Authorization => 'Bearer']) }, '401 NOT_AUTHENTICATED'],
    ['a token that is none', sub { (token => 'rubbish') }, '401 UNAUTHORIZED'],
    [
        'a token of another signer',
        sub { (
            token => $roster->jwt({id => person('admin')->{id}, exp => $now + 3600, iat => $now}, key => 'x' x 40)) },
        '401 UNAUTHORIZED'
    ],
    [
        'a token that is not signed',
        sub { (token => $roster->jwt({id => person('admin')->{id}, exp => $now + 3600, iat => $now}, alg => 'none')) },
        '401 UNAUTHORIZED'
    ],
    [
        'an expired token',
        sub { (token => $roster->token_for(person('admin')->{id}, iat => $now - 7200, exp => $now - 3600)) },
        '401 UNAUTHORIZED'
    ],
    ['a token of a user who is gone', sub { (token => $roster->token_for(Roster::uuid())) }, '401 INVALID_TOKEN'],
    ['an unknown API key', sub { (token => 'sk-' . '0' x 32) }, '401 INVALID_TOKEN'],
    [
        'a revoked token',
        sub {
            my $person = person('admin');
            $roster->redis('SET', "open-webui:auth:token:$person->{jti}:revoked", 1);
            return (token => $person->{token});
        },
        '401 INVALID_TOKEN'
    ],
    [
        'an API key for other paths',
        sub { (token => key_of('admin', '["/nowhere"]')) },
        '403 API_KEY_ENDPOINT_NOT_ALLOWED'
    ],
    (
        map {
            my $role = $_;
            ["the role '$role'", sub { (token => person($role)->{token}) }, undef, $role]
        } '',
        'superadmin',
        'pending',
        'user',
        'admin'
    ),
    (
        map {
            my $role = $_;
            ["the role $role with a cookie", sub { (cookie => person($role)->{token}) }, undef, $role]
        } 'user'
    ),
    [
        'a cookie that another site sent',
        sub { (cookie => person('admin')->{token}, headers => ['Sec-Fetch-Site' => 'cross-site']) },
        'elsewhere',
        'admin'
    ],
    (
        map {
            my $role = $_;
            ["an API key of the role $role", sub { (token => key_of($role)) }, undef, $role]
        } 'pending',
        'user',
        'admin'
    ));

# What this row says of this caller: undef where they get in.
sub refusal ($route, $before, $role, $is_key) {
    return $route->{name} eq 'sign_out_post' && ($before // '') eq 'elsewhere' ? '403 CROSS_SITE' : undef
        if $route->{who} eq 'ANYONE';
    # no rule: users and administrators
    return $role =~ /^(?:user|admin)$/ ? undef : '401 ACCESS_PROHIBITED' if $route->{who} eq 'RULE' && !defined $before;
    return $route->{method} eq 'GET' ? undef : '403 CROSS_SITE' if ($before // '') eq 'elsewhere';
    return $before if $before;
    return '401 ACCESS_PROHIBITED'
        if $role ne 'admin' && $route->{who} ne 'ANY_ROLE' && ($route->{who} eq 'ADMIN' || $role ne 'user');
    return $is_key && $route->{takes} eq 'SESSION' ? '403 SESSION_REQUIRED' : undef;
}

# ---- The matrix ----

# What a route refuses by itself, whoever asks.
my %own_refusal = (mfa_challenge => '403 CROSS_SITE', mfa_choose => '403 REAUTHENTICATION_REQUIRED');

my %route_of;    # request id => what must stand in the log
for my $route (@routes) {
    my @wrong;
    my $count = 0;
    for my $prefix ($route->{place} eq 'UNDER_API' ? ('', '/api/v1') : '') {
        for my $caller (@callers) {
            my ($name, $send, $before, $role) = @$caller;
            next
                if $prefix && !grep { $_ eq $name } 'nobody', 'an expired token', "the role 'pending'",
                "the role 'user'", "the role 'admin'", 'an API key of the role user';
            my $path = $prefix . $route->{path} =~ s/\{\w+\}/nothing/gr;
            my $answer =
                $roster->request($route->{method} => $path, $send->(), $route->{body} ne 'NONE' ? (json => {}) : ());
            my $code =
                ref(($answer // {})->{json}) eq 'HASH'
                ? $answer->{json}{code}
                : ($answer // {})->{headers}{'x-roster-code'};
            my $got = !$answer ? 'no answer' : join ' ', $answer->{status}, $code // ();
            my $wanted = refusal($route, $before, $role, !!($name =~ m{^an API key of}));
            $count++;
            push @wrong, "$name at $prefix/ gets $got, not " . ($wanted // 'in')
                if $wanted
                ? $got ne $wanted
                : $got !~ /^(?:[23]\d\d|40[04]|422)\b/ && $got ne ($own_refusal{$route->{name}} // '');
            push @wrong, "$name at $prefix/ gets $got without WWW-Authenticate"
                if $answer
                && $answer->{status} == 401
                && ($answer->{headers}{'www-authenticate'} // '') !~
                ($route->{who} eq 'RULE' ? qr/^Basic / : qr/^Bearer$/);
            $route_of{$answer->{headers}{'x-request-id'}} = $route->{name} if $answer;
        }
        if ($route->{method} eq 'GET') {
            my $head = $roster->request(HEAD => $prefix . $route->{path} =~ s/\{\w+\}/nothing/gr);
            push @wrong, "HEAD of nobody gets $head->{status}"
                if $route->{who} eq 'ANYONE' ? $head->{status} == 401 : $head->{status} != 401;
        }
    }
    cmp_ok $count, '>=', scalar(@callers), "$route->{name}: everybody asked";
    is_deeply \@wrong, [], "$route->{method} $route->{path} is for $route->{who} with $route->{takes}";
    is_problem $roster->request(
        $route->{method} => '/api/v1' . $route->{path} =~ s/\{\w+\}/nothing/gr,
        token => person('admin')->{token}
        ),
        404, 'PATH_NOT_FOUND', 'and under /api/v1 it is not'
        if $route->{place} ne 'UNDER_API';
}

# Each request was one for the row that it is in this matrix for.
my %logged;
wait_until(
    10,
    sub {
        my $log = $roster->log_text('roster-access');
        %logged = $log =~ / request=(\w+) .* route=(\S+) /mg;
        return !grep { !defined $logged{$_} } keys %route_of;
    });
my @others = grep { ($logged{$_} // 'nothing') ne $route_of{$_} } sort keys %route_of;
is_deeply [map { "$route_of{$_} went to " . ($logged{$_} // 'nothing') } @others], [],
    'each request went to its own row';

# ---- With keys switched off ----

for my $case (
    ['no permission', '{"auth": {"enable_api_keys": true}}', 'user'],
    [
        'switched off',
        '{"auth": {"enable_api_keys": false}, "user": {"permissions": {"features": {"api_keys": true}}}}',
        'user', 'admin'
    ])
{
    my ($name, $config, @roles) = @$case;
    $roster->sql('UPDATE config SET data = ?', $config);
    my %keys = map { ($_ => key_of($_)) } @roles;
    my @wrong;
    for my $route (grep { $_->{who} ne 'ANYONE' } @routes) {
        for my $role (@roles) {
            my $answer = $roster->request(
                $route->{method} => $route->{path} =~ s/\{\w+\}/nothing/gr,
                token => $keys{$role},
                $route->{body} ne 'NONE' ? (json => {}) : ());
            my $got = "$answer->{status} " . ($answer->{json}{code} // $answer->{headers}{'x-roster-code'} // '');
            push @wrong, "$route->{name} by $role: $got" if $got ne '403 API_KEY_NOT_ALLOWED';
        }
    }
    is_deeply \@wrong, [], "API keys, $name: no row takes one";
}

done_testing;
