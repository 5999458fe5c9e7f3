# Every row of routes.def, asked by everybody: who may not call is told so, and who may is not.
#
# Whatever stands in a path is unknown, and bodies are empty objects: what matters is who gets past the first stages, not what they find there.
use v5.36;

use Test::More;
use Roster;

my $roster = Roster->new(config => {rate_limits => 'no', last_active_interval => '1d'});

my @routes;
{
    my $text = Roster::Database::slurp("$roster->{source}/src/tables/routes.def");
    while ($text =~ /^ROUTE\((\w+), (\w+), "([^"]+)", (\w+), (\w+), (\S+), (\w+), (\w+), (\w+), (\w+), (\w+), "/mg) {
        push @routes, {name => $1, method => $2, path => $3, place => $4, who => $5, permission => $6, body => $7};
    }
    my $rows = () = $text =~ /^ROUTE\(/mg;
    is scalar(@routes), $rows, 'every row of routes.def was read';
    cmp_ok $rows, '>=', 60, 'and there are many';
}

# ---- The callers -------------------------------------------------------------------------------------------------------------------------

# API keys are on, and everybody may have one.
$roster->sql('INSERT INTO config (data) VALUES (?)', '{"auth": {"enable_api_keys": true}, "user": {"permissions": {"features": {"api_keys": true}}}}');
$roster->add_user(role => 'admin', created_at => 1); # the primary one, whom nobody here is

# Each cell of the matrix has a user of its own, since some of these requests end sessions or replace keys.
my $now = time;
sub person ($role) { return $roster->add_user(role => $role, last_active_at => $now) }

sub key_of ($role, $routes = undef) {
    my $key = $roster->secret('sk-' . unpack 'H32', Roster::random_bytes(16));
    $roster->sql('INSERT INTO api_key (id, user_id, `key`, routes, is_primary, created_at, updated_at) VALUES (?, ?, ?, ?, 1, 1, 1)',
        Roster::uuid(), person($role)->{id}, 'sha256:' . Digest::SHA::sha256_hex($key), $routes);
    return $key;
}

# name, what is sent, what comes before the role is looked at (status and code), the role
my @callers = (
    ['nobody', sub { () }, '401 NOT_AUTHENTICATED'],
    ['a malformed header', sub { (headers => [Authorization => 'Bearer']) }, '401 NOT_AUTHENTICATED'],
    ['a token that is none', sub { (token => 'rubbish') }, '401 UNAUTHORIZED'],
    ['a token of another signer', sub { (token => $roster->jwt({id => person('admin')->{id}, exp => $now + 3600, iat => $now}, key => 'x' x 40)) }, '401 UNAUTHORIZED'],
    ['a token that is not signed', sub { (token => $roster->jwt({id => person('admin')->{id}, exp => $now + 3600, iat => $now}, alg => 'none')) }, '401 UNAUTHORIZED'],
    ['an expired token', sub { (token => $roster->token_for(person('admin')->{id}, iat => $now - 7200, exp => $now - 3600)) }, '401 UNAUTHORIZED'],
    ['a token of a user who is gone', sub { (token => $roster->token_for(Roster::uuid())) }, '401 INVALID_TOKEN'],
    ['an unknown API key', sub { (token => 'sk-' . '0' x 32) }, '401 INVALID_TOKEN'],
    ['a revoked token', sub {
            my $person = person('admin');
            $roster->redis('SET', "open-webui:auth:token:$person->{jti}:revoked", 1);
            return (token => $person->{token});
        }, '401 INVALID_TOKEN'],
    ['an API key for other paths', sub { (token => key_of('admin', '["/nowhere"]')) }, '403 API_KEY_ENDPOINT_NOT_ALLOWED'],
    (map { my $role = $_; ["the role '$role'", sub { (token => person($role)->{token}) }, undef, $role] } '', 'superadmin', 'pending', 'user', 'admin'),
    (map { my $role = $_; ["the role $role with a cookie", sub { (cookie => person($role)->{token}) }, undef, $role] } 'user'),
    (map { my $role = $_; ["an API key of the role $role", sub { (token => key_of($role)) }, undef, $role] } 'pending', 'user', 'admin'),
);

# What this row says of this caller: undef where they get in.
sub refusal ($route, $before, $role) {
    return undef if $route->{who} eq 'ANYONE';
    return $before if $before;
    return undef if $role eq 'admin' || $route->{who} eq 'ANY_ROLE';
    return '401 ACCESS_PROHIBITED' if $route->{who} eq 'ADMIN' || $role ne 'user';
    # A permission of the row that is not one of the defaults.
    return $route->{permission} =~ /NONE/ ? undef : '401 ACCESS_PROHIBITED';
}

# ---- The matrix --------------------------------------------------------------------------------------------------------------------------

my %route_of; # request id => what must stand in the log
for my $route (@routes) {
    my @wrong;
    my $count = 0;
    for my $prefix ($route->{place} eq 'API' ? ('', '/api/v1') : '') {
        for my $caller (@callers) {
            my ($name, $send, $before, $role) = @$caller;
            next if $prefix && !grep { $_ eq $name } 'nobody', 'an expired token', "the role 'pending'", "the role 'user'", "the role 'admin'", 'an API key of the role user';
            my $path = $prefix . $route->{path} =~ s/\{\w+\}/nothing/gr;
            my $answer = $roster->request($route->{method} => $path, $send->(), $route->{body} ne 'NONE' ? (json => {}) : ());
            my $got = !$answer ? 'no answer' : ref $answer->{json} eq 'HASH' && $answer->{json}{code} ? "$answer->{status} $answer->{json}{code}" : $answer->{status};
            my $wanted = refusal($route, $before, $role);
            $count++;
            push @wrong, "$name at $prefix/ gets $got, not " . ($wanted // 'in') if $wanted ? $got ne $wanted : $got !~ /^(?:[23]\d\d|40[04]|422)\b/;
            push @wrong, "$name at $prefix/ gets $got without WWW-Authenticate" if $answer && $answer->{status} == 401 && ($answer->{headers}{'www-authenticate'} // '') ne 'Bearer';
            $route_of{$answer->{headers}{'x-request-id'}} = $route->{name} if $answer;
        }
        if ($route->{method} eq 'GET') {
            my $head = $roster->request(HEAD => $prefix . $route->{path} =~ s/\{\w+\}/nothing/gr);
            push @wrong, "HEAD of nobody gets $head->{status}" if $route->{who} eq 'ANYONE' ? $head->{status} == 401 : $head->{status} != 401;
        }
    }
    cmp_ok $count, '>=', scalar(@callers), "$route->{name}: everybody asked";
    is_deeply \@wrong, [], "$route->{method} $route->{path} is for $route->{who}" . ($route->{permission} =~ /NONE/ ? '' : " with $route->{permission}");
    is_problem $roster->request($route->{method} => '/api/v1' . $route->{path} =~ s/\{\w+\}/nothing/gr, token => person('admin')->{token}), 404, 'PATH_NOT_FOUND',
        'and under /api/v1 it is not' if $route->{place} ne 'API';
}

# Each request was one for the row that it is in this matrix for.
my %logged;
wait_until(10, sub {
    my $log = $roster->log_text('roster-access');
    %logged = $log =~ / request=(\w+) .* route=(\S+) /mg;
    return !grep { !defined $logged{$_} } keys %route_of;
});
my @others = grep { ($logged{$_} // 'nothing') ne $route_of{$_} } sort keys %route_of;
is_deeply [map {"$route_of{$_} went to " . ($logged{$_} // 'nothing')} @others], [], 'each request went to its own row';

# ---- With keys switched off --------------------------------------------------------------------------------------------------------------

for my $case (
    ['no permission', '{"auth": {"enable_api_keys": true}}', 'user'], ['switched off', '{"auth": {"enable_api_keys": false}, "user": {"permissions": {"features": {"api_keys": true}}}}', 'user', 'admin']) {
    my ($name, $config, @roles) = @$case;
    $roster->sql('UPDATE config SET data = ?', $config);
    my %keys = map { ($_ => key_of($_)) } @roles;
    my @wrong;
    for my $route (grep { $_->{who} ne 'ANYONE' } @routes) {
        for my $role (@roles) {
            my $answer = $roster->request($route->{method} => $route->{path} =~ s/\{\w+\}/nothing/gr, token => $keys{$role}, $route->{body} ne 'NONE' ? (json => {}) : ());
            my $got = "$answer->{status} " . ($answer->{json}{code} // '');
            push @wrong, "$route->{name} by $role: $got" if $got ne '403 API_KEY_NOT_ALLOWED';
        }
    }
    is_deeply \@wrong, [], "API keys, $name: no row takes one";
}

done_testing;
