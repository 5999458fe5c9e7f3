# Who is calling: header and cookie, tokens in every variant, revocations, roles, and when somebody was last active.
use v5.36;

use Test::More;
use Roster;
use Time::HiRes ();

my $roster = Roster->new(config => {trusted_email_header => 'X-Forwarded-Email', trusted_proxies => '198.51.100.0/24'});
my $user = $roster->add_user(email => 'person@example.org');
my $other = $roster->add_user;
my $now = time;
my $token = $user->{token};

sub ask (%options) { return $roster->request(GET => '/users/user/status', %options) }
sub with_authorization ($value, %more) { return ask(headers => [Authorization => $value], %more) }

# A test: 200, and the caller is this user.
sub accepted ($answer, $name, $id = $user->{id}) {
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    return ok($answer && $answer->{status} == 200 && $answer->{json}{id} eq $id, $name)
        || diag($answer ? "$answer->{status} $answer->{body}" : 'no answer');
}

# A test: 401 with this code, and the scheme to come back with.
sub refused ($answer, $code, $name) {
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    is_problem $answer, 401, $code, "$name: $code";
    is $answer->{headers}{'www-authenticate'}, 'Bearer', "$name: with WWW-Authenticate";
    return;
}

# ---- Header and cookie ----

subtest 'the header field' => sub {
    accepted with_authorization("$_ $token"), "the scheme is '$_'" for qw(Bearer bearer BEARER bEaReR);
    refused ask(), 'NOT_AUTHENTICATED', 'nothing at all';
    for my $value ('Bearer', "Bearer  $token", "Bearer $token x", 'Bearer a b c', 'bearer') {
        my $name = $value =~ s/\Q$token\E/TOKEN/r;
        refused with_authorization($value), 'NOT_AUTHENTICATED', "'$name'";
        refused with_authorization($value, cookie => $token), 'NOT_AUTHENTICATED', "'$name' beside a good cookie";
    }
    for my $value ('Basic dXNlcjpwYXNz', "Token $token", "Bearer$token", 'Digest a="b", c="d"', 'x', $token) {
        my $name = $value =~ s/\Q$token\E/TOKEN/r;
        refused with_authorization($value), 'NOT_AUTHENTICATED', "another scheme: '$name'";
        accepted with_authorization($value, cookie => $token), "another scheme falls through to the cookie: '$name'";
    }
    accepted with_authorization('', cookie => $token), 'an empty field falls through to the cookie';
    refused with_authorization('Bearer rubbish', cookie => $token), 'UNAUTHORIZED',
        'a bad token in the header beside a good cookie';
    accepted ask(token => $token, cookie => $token), 'header and the same cookie together';
    accepted ask(token => $token, cookie => 'rubbish'), 'the header comes before the cookie';
    my @status = (REQUEST_URI => '/users/user/status');
    refused $roster->fastcgi('api', [@status, HTTP_AUTHORIZATION => 'Bearer ']), 'NOT_AUTHENTICATED',
        'Bearer and a space';
    refused $roster->fastcgi('api', [@status, HTTP_AUTHORIZATION => "Bearer $token "]), 'NOT_AUTHENTICATED',
        'a space behind the token';
    refused $roster->fastcgi('api', [@status, map { (HTTP_AUTHORIZATION => "Bearer $_->{token}") } $other, $user]),
        'NOT_AUTHENTICATED', 'two fields';
    accepted $roster->fastcgi('api', [@status, HTTP_AUTHORIZATION => "Bearer $token"]), 'one field';
};

subtest 'the cookie' => sub {
    my %cookies = (
        'alone' => ["token=$token"],
        'among others' => ["theme=dark; token=$token; x=y"],
        'without spaces' => ["a=b;token=$token;c"],
        'in quotes' => ["token=\"$token\""],
        'in a second field' => ['a=b', "token=$token"],
        'twice, the last one good' => ["token=rubbish; token=$token"],
        'twice, the first one good' => ["token=$token; token=rubbish"],
        'beside an empty one' => ["token=$token; token="]);
    accepted ask(headers => [map { (Cookie => $_) } @{$cookies{$_}}]), $_ for sort keys %cookies;
    refused ask(headers => [Cookie => 'token=some; token=rubbish']), 'UNAUTHORIZED', 'twice, both bad';
    refused ask(headers => [Cookie => $_ =~ s/TOKEN/$token/r]), 'NOT_AUTHENTICATED', "'$_'"
        for 'token=', 'token=""', 'Token=TOKEN', 'xtoken=TOKEN', 'token', 'TOKEN';
};

subtest 'x-api-key' => sub {
    refused ask(headers => ['X-API-Key' => 'sk-unknown']), 'INVALID_TOKEN', 'an unknown key';
    refused with_authorization('Bearer sk-unknown'), 'INVALID_TOKEN', 'as Bearer';
    refused ask(cookie => 'sk-unknown'), 'INVALID_TOKEN', 'as cookie';
    accepted ask(token => $token, headers => ['X-API-Key' => 'sk-unknown']), 'Authorization comes before x-api-key';
};

# ---- Tokens ----

my %good = (id => $user->{id}, jti => 'a-jti', iat => $now - 10, exp => $now + 3600);
my $encode = sub ($data) { return JSON::PP->new->utf8->canonical->allow_nonref->encode($data) };

# A token of the good claims with others on top; $absent leaves one out, undef is null.
my $absent = \'absent';

sub claims (%more) {
    my %all = (%good, %more);
    delete @all{grep { ref $all{$_} && $all{$_} == $absent } keys %all};
    return $roster->jwt(\%all);
}

subtest 'claims' => sub {
    my $true = JSON::PP::true;
    my $number = sub ($text) { return $text + 0 };
    my @cases = (
        ['all of them', [], 'good'],
        ['further ones', [name => 'x', role => 'admin', nested => {a => [1, 2]}], 'good'],
        ['no jti', [jti => $absent], 'good'],
        ['no iat', [iat => $absent], 'good'],
        ['exp as numeric text', [exp => '' . ($now + 3600)], 'good'],
        ['exp with a fraction', [exp => $number->($now + 3600.5)], 'good'],
        ['exp far beyond 64 bits', [exp => 1e300], 'good'],
        ['iat with a fraction', [iat => $number->($now - 10.5)], 'good'],
        ['nbf in the past', [nbf => $now - 10], 'good'],
        ['sub is text', [sub => 'somebody'], 'good'],
        ['iss', [iss => 'somebody'], 'good'],
        ['exp in the past', [exp => $now - 1], 'UNAUTHORIZED'],
        ['exp in the past, as text', [exp => '' . ($now - 1)], 'UNAUTHORIZED'],
        ['exp 0', [exp => 0], 'UNAUTHORIZED'],
        ['exp negative', [exp => -5], 'UNAUTHORIZED'],
        ['exp null', [exp => undef], 'UNAUTHORIZED'],
        ['exp is other text', [exp => 'never'], 'UNAUTHORIZED'],
        ['exp is empty', [exp => ''], 'UNAUTHORIZED'],
        ['exp is text with a fraction', [exp => ($now + 3600) . '.5'], 'UNAUTHORIZED'],
        ['exp is a list', [exp => [$now + 3600]], 'UNAUTHORIZED'],
        ['exp is an object', [exp => {}], 'UNAUTHORIZED'],
        ['exp is true', [exp => $true], 'UNAUTHORIZED'],
        ['no exp, where lifetimes are limited', [exp => $absent], 'UNAUTHORIZED'],
        ['nbf in the future', [nbf => $now + 1000], 'UNAUTHORIZED'],
        ['iat in the future', [iat => $now + 1000], 'UNAUTHORIZED'],
        ['iat is text', [iat => 'yesterday'], 'UNAUTHORIZED'],
        ['iat is numeric text', [iat => "$good{iat}"], 'UNAUTHORIZED'],
        ['iat null', [iat => undef], 'UNAUTHORIZED'],
        ['iat is a list', [iat => [1]], 'UNAUTHORIZED'],
        ['aud', [aud => 'somebody'], 'UNAUTHORIZED'],
        ['aud is a list', [aud => ['somebody']], 'UNAUTHORIZED'],
        ['aud is an empty list', [aud => []], 'UNAUTHORIZED'],
        ['sub is a number', [sub => 5], 'UNAUTHORIZED'],
        ['sub null', [sub => undef], 'UNAUTHORIZED'],
        ['jti is a number', [jti => 5], 'UNAUTHORIZED'],
        ['jti null', [jti => undef], 'UNAUTHORIZED'],
        ['jti is a list', [jti => ['a']], 'UNAUTHORIZED'],
        ['no id', [id => $absent], 'UNAUTHORIZED'],
        ['id is a number', [id => 5], 'INVALID_TOKEN'],
        ['id null', [id => undef], 'INVALID_TOKEN'],
        ['id is a list', [id => [$user->{id}]], 'INVALID_TOKEN'],
        ['id is true', [id => $true], 'INVALID_TOKEN'],
        ['id is empty', [id => ''], 'INVALID_TOKEN'],
        ['id of nobody', [id => 'nobody'], 'INVALID_TOKEN'],
        ['id in another case', [id => uc $user->{id}], 'INVALID_TOKEN'],
        ['id with a space behind', [id => "$user->{id} "], 'INVALID_TOKEN'],
        ['id of 5 KB', [id => 'x' x 5000], 'INVALID_TOKEN'],
        ['id that is no ASCII', [id => "\x{e9}\x{1f600}"], 'INVALID_TOKEN'],
        ['exp in the past and id a number', [exp => 1, id => 5], 'UNAUTHORIZED']);
    for my $case (@cases) {
        my ($name, $more, $expected) = @$case;
        my $token = claims(@$more);
        my $answer = ask(token => $token, cookie => $token);
        if ($expected eq 'good') {
            accepted $answer, $name;
        }
        else {
            refused $answer, $expected, $name;
            is deleted_cookies($answer), 'token', "$name: the cookie is deleted";
        }
    }
};

subtest 'what is signed' => sub {
    my $good = $encode->(\%good);
    my @cases = (
        ['not JSON', 'rubbish'],
        ['empty object', '{}'],
        ['a list', '[]'],
        ['a text', '"x"'],
        ['a number', '5'],
        ['null', 'null'],
        ['half an object', substr($good, 0, -1)],
        ['something behind the object', "$good x"],
        ['no UTF-8', $good =~ s/a-jti/\xff\xfe/r],
        ['a lone surrogate', $good =~ s/a-jti/\\ud800/r],
        ['NUL in a text', $good =~ s/a-jti/a\\u0000b/r],
        ['NUL in a name', $good =~ s/"exp"/"exp\\u0000"/r],
        ['deep nesting', $good =~ s/\}$/',"x":' . '[' x 500 . ']' x 500 . '}'/er],
        ['NaN', $good =~ s/"exp":\d+/"exp":NaN/r],
        ['Infinity', $good =~ s/"exp":\d+/"exp":Infinity/r],
        ['single quotes', $good =~ tr/"/'/r]);
    for my $case (@cases) {
        my ($name, $payload) = @$case;
        my $answer = ask(token => $roster->jwt($payload));
        ok $answer->{status} == 401 && $answer->{json}{code} =~ /^(?:UNAUTHORIZED|INVALID_TOKEN)$/, "payload: $name"
            or diag $answer->{body};
    }
    accepted ask(token => $roster->jwt($good =~ s/^\{/{ /r)), 'white space within the payload';
    accepted ask(token => $roster->jwt($good =~ s/"id"/"\\u0069d"/r)), 'escapes within the payload';
    accepted ask(token => $roster->jwt('{"id":"nobody",' . substr $good, 1)),
        'of a claim that comes twice the last one counts';
};

subtest 'algorithms and header' => sub {
    my $none = sub (%header) { return $roster->jwt(\%good, header => \%header) };
    refused ask(token => $roster->jwt(\%good, alg => 'none')), 'UNAUTHORIZED', 'alg none without a signature';
    refused ask(token => $none->(alg => $_)), 'UNAUTHORIZED', "alg $_ under the signature of HS256"
        for qw(none None NONE hs256 HS384 HS512 RS256 ES256 HS256x), '';
    refused ask(token => $none->(alg => undef)), 'UNAUTHORIZED', 'alg null';
    refused ask(token => $none->(alg => ['HS256'])), 'UNAUTHORIZED', 'alg is a list';
    refused ask(token => $roster->jwt(\%good, alg => $_)), 'UNAUTHORIZED', "$_, signed with it" for qw(HS384 HS512);
    refused ask(token => $roster->jwt(\%good, header => '{"typ":"JWT"}')), 'UNAUTHORIZED', 'no alg';
    refused ask(token => $roster->jwt(\%good, header => $_)), 'UNAUTHORIZED', "header $_"
        for '[]', '"HS256"', 'rubbish', 'null', '{"alg":"HS256"';
    refused ask(token => $none->(crit => ['exp'])), 'UNAUTHORIZED', 'crit';
    refused ask(token => $none->(crit => [])), 'UNAUTHORIZED', 'crit that is empty';
    refused ask(token => $none->(b64 => JSON::PP::false, crit => ['b64'])), 'UNAUTHORIZED', 'b64';
    accepted ask(token => $roster->jwt(\%good, header => '{"alg":"HS256"}')), 'alg alone';
    accepted ask(token => $none->(kid => '1', typ => 'at+jwt')), 'kid, another typ';
    accepted ask(token => $roster->jwt(\%good, header => '{ "typ" : "JWT", "alg" : "HS256" }')),
        'white space within the header';
};

subtest 'signature and form' => sub {
    my ($header, $payload, $signature) = split /\./, $token;
    my $alphabet = join '', 'A' .. 'Z', 'a' .. 'z', 0 .. 9, '-', '_';
    my $twin = substr $alphabet, index($alphabet, substr $signature, -1) ^ 1, 1;
    my $flipped = $signature =~ s/^(.)/$1 eq 'A' ? 'B' : 'A'/er;
    my @bad = (
        ['another key', $roster->jwt(\%good, key => 'x' x 43)],
        ['an empty key', $roster->jwt(\%good, key => '')],
        ['a changed signature', "$header.$payload.$flipped"],
        ['another spelling of the signature', "$header.$payload." . substr($signature, 0, -1) . $twin],
        ['padding', "$token="],
        ['half a signature', "$header.$payload." . substr $signature, 0, 20],
        ['a longer signature', "${token}AAAA"],
        ['the signature of another token', "$header.$payload." . (split /\./, $other->{token})[2]],
        ['no signature', "$header.$payload."],
        ['two segments', "$header.$payload"],
        ['one segment', $header],
        ['four segments', "$token.x"],
        ['a point behind', "$token."],
        ['no header', ".$payload.$signature"],
        ['no payload', "$header..$signature"],
        ['points alone', '..'],
        ['a point', '.'],
        ['more points', '...'],
        ['a letter', 'x'],
        ['characters that are not in the alphabet', "$header.$payload.!!!!"],
        ['a plus sign', "$header.$payload+.$signature"],
        ['no ASCII', "\xff\xfe.\xc3\xa9.x"],
        ['a length that base64 has not', "${header}A.$payload.$signature"],
        ['Bearer again', 'Bearer']);
    refused ask(token => $_->[1]), 'UNAUTHORIZED', $_->[0] for @bad;
    refused ask(cookie => $_->[1]), 'UNAUTHORIZED', "as cookie: $_->[0]" for grep { $_->[1] !~ /=$/ } @bad;
    accepted ask(token => $token), 'the good one';
    accepted ask(token => claims(filler => 'x' x 5000)), 'one of 7 KB';
    refused ask(token => claims(filler => 'x' x 9000)), 'UNAUTHORIZED', 'one of 12 KB';
    my $large = claims(filler => 'x' x 50_000);
    is_problem ask(token => $large), 431, 'HEADER_FIELDS_TOO_LARGE', 'one of 66 KB does not pass nginx';
    is_problem ask(cookie => $large), 431, 'HEADER_FIELDS_TOO_LARGE', 'nor does it as a cookie';
    refused $roster->fastcgi('api', {REQUEST_URI => '/users/user/status', HTTP_AUTHORIZATION => "Bearer $large"}),
        'UNAUTHORIZED', 'a worker refuses it too';
    refused $roster->fastcgi('api', {REQUEST_URI => '/users/user/status', HTTP_COOKIE => "token=$large"}),
        'UNAUTHORIZED', 'also as a cookie';
};

# ---- Cookies on 401 ----

subtest 'a 401 deletes the cookies that were sent' => sub {
    my @four = qw(oauth_id_token oauth_session_id oui-session token);
    my $cookies = sub ($token) {
        return join '; ', map { $_ eq 'token' ? "token=$token" : "$_=something" } @four;
    };
    my $dead = $roster->token_for('nobody');
    for my $case (
        ['rubbish', 'UNAUTHORIZED'],
        [claims(exp => $now - 1), 'UNAUTHORIZED'],
        [$dead, 'INVALID_TOKEN'],
        [claims(id => 5), 'INVALID_TOKEN'])
    {
        my ($bad, $code) = @$case;
        my $answer = ask(headers => [Cookie => $cookies->($bad)]);
        refused $answer, $code, 'all four sent';
        is deleted_cookies($answer), "@four", 'all four are deleted';
        ok !(grep { !/HttpOnly/ || !/SameSite=lax/i } @{$answer->{set_cookie}}),
            'with the attributes that they were set with';
        is deleted_cookies(ask(token => $bad)), '', 'none sent, none deleted';
        is deleted_cookies(ask(headers => [Authorization => "Bearer $bad", Cookie => 'oui-session=x; other=y'])),
            'oui-session', 'one sent, one deleted';
    }
    is deleted_cookies(ask(headers => [Cookie => 'oui-session=x'])), '',
        'nothing is deleted where there is no token at all';
    is deleted_cookies(ask(cookie => 'sk-unknown')), '', 'nor for an API key';
    my $pending = $roster->add_user(role => 'pending');
    my $answer = ask(headers => [Cookie => $cookies->($pending->{token})]);
    refused $answer, 'ACCESS_PROHIBITED', 'a role that may not';
    is deleted_cookies($answer), '', 'keeps its cookies';
};

# ---- Revocation ----

subtest 'revoked by another program, in Redis' => sub {
    my @workers = $roster->workers('api');
    my $on_each = sub ($token, $expected, $name) {
        for my $pid (@workers) {
            my $answer = $roster->on_worker('api', $pid, sub { ask(token => $token, cookie => $token) });
            if ($expected eq 'good') { accepted $answer, "$name: accepted" }
            else {
                refused $answer, $expected, $name;
                is deleted_cookies($answer), 'token', "$name: the cookie is deleted";
            }
        }
    };
    my $jti = Roster::uuid();
    my $token = claims(jti => $jti);
    $on_each->($token, 'good', 'before');
    $roster->redis('SET', "other-prefix:auth:token:$jti:revoked", 1);
    $roster->redis('SET', 'open-webui:auth:token:' . Roster::uuid() . ':revoked', 1);
    $on_each->($token, 'good', 'another prefix, another jti');
    $roster->redis('SET', "open-webui:auth:token:$jti:revoked", 1, 'EX', 100);
    $on_each->($token, 'INVALID_TOKEN', 'its jti is revoked');
    $on_each->(claims(), 'good', 'another token of the same user');
    $roster->redis('DEL', "open-webui:auth:token:$jti:revoked");
    $roster->redis('SET', "open-webui:auth:token:$jti:revoked", '');
    $on_each->($token, 'INVALID_TOKEN', 'the key is there, whatever its value');
    $roster->redis('DEL', "open-webui:auth:token:$jti:revoked");
    $on_each->($token, 'good', 'the key is gone');

    my $strange = "a b:c*\x{e9}\r\n";
    $roster->redis('SET', "open-webui:auth:token:$strange:revoked", 1);
    $on_each->(claims(jti => $strange), 'INVALID_TOKEN', 'a jti of strange characters');

    my $key = "open-webui:auth:user:$user->{id}:revoked_at";
    $roster->redis('SET', $key, $good{iat} - 1);
    $on_each->($token, 'good', 'the user\'s tokens were revoked before it was issued');
    $on_each->(claims(iat => $absent), 'INVALID_TOKEN', 'a token without iat');
    $roster->redis('SET', $key, $good{iat});
    $on_each->($token, 'INVALID_TOKEN', 'in the same second');
    $on_each->(claims(iat => $good{iat} + 1), 'good', 'a token that was issued later');
    $on_each->(claims(jti => $absent), 'INVALID_TOKEN', 'a token without jti');
    $roster->redis('SET', $key, $now + 5 . '.25');
    $on_each->($token, 'INVALID_TOKEN', 'the moment has a fraction');
    accepted ask(token => $other->{token}), 'another user is not concerned', $other->{id};
    $roster->redis('DEL', $key);
    $on_each->($token, 'good', 'the key is gone again');
};

subtest 'the epoch in MariaDB' => sub {
    my $epoch =
        sub ($value) { $roster->sql('UPDATE user SET sessions_ended_at = ? WHERE id = ?', $value, $user->{id}) };
    $epoch->($good{iat} - 1);
    accepted ask(token => claims()), 'issued later';
    refused ask(token => claims(iat => $absent)), 'INVALID_TOKEN', 'no iat';
    $epoch->($good{iat});
    my $token = claims();
    my $answer = ask(token => $token, cookie => $token);
    refused $answer, 'INVALID_TOKEN', 'in the same second';
    is deleted_cookies($answer), 'token', 'the cookie is deleted';
    accepted ask(token => claims(iat => $good{iat} + 1)), 'a second later';
    $roster->sql('INSERT INTO session (jti, user_id, expires_at) VALUES (?, ?, ?)', 'kept', $user->{id}, $now + 3600);
    accepted ask(token => claims(jti => 'kept')), 'the exempt jti';
    refused ask(token => $roster->token_for($other->{id}, jti => 'kept', iat => 5, exp => 6)), 'UNAUTHORIZED',
        'an expired one';
    $roster->sql('UPDATE session SET revoked_at = 5 WHERE jti = ?', 'kept');
    refused ask(token => claims(jti => 'kept', iat => $now)), 'INVALID_TOKEN', 'a session that its row says is over';
    $epoch->(undef);
    accepted ask(token => claims(iat => $absent)), 'no epoch, no iat';
    my $gone = $roster->add_user;
    accepted ask(token => $gone->{token}), 'somebody', $gone->{id};
    $roster->sql('DELETE FROM user WHERE id = ?', $gone->{id});
    refused ask(token => $gone->{token}), 'INVALID_TOKEN', 'the user is gone';
};

# ---- The trusted header ----

subtest 'a trusted email header' => sub {
    my $with = sub ($email, $client = '198.51.100.7', $cookie = undef) {
        return ask(
            token => $token,
            headers => ['X-Forwarded-Email' => $email],
            client => $client,
            (cookie => $cookie) x !!$cookie);
    };
    accepted $with->('person@example.org'), 'the same email';
    accepted $with->('PERSON@Example.org'), 'in another case';
    accepted $with->(''), 'empty: not sent';
    accepted ask(token => $token, client => '198.51.100.7'), 'not sent';
    my $answer = $with->('somebody@example.org', '198.51.100.7', $token);
    refused $answer, 'INVALID_TOKEN', 'another email';
    is deleted_cookies($answer), 'token', 'and the cookie is deleted';
    refused ask(
        token => $token,
        client => '198.51.100.7',
        headers => [('X-Forwarded-Email' => 'person@example.org') x 2]
        ),
        'INVALID_TOKEN', 'sent twice';
    refused ask(
        token => $token,
        client => '198.51.100.7',
        headers => ['X-Forwarded-Email', 'somebody@example.org', 'X-Forwarded-Email' => 'person@example.org']
        ),
        'INVALID_TOKEN', 'one beside that of the proxy';
    unlike $roster->log_text, qr/trusted_proxies/, 'nothing of this is in the log';
    accepted $with->('somebody@example.org', '203.0.113.5'), 'from anywhere else it is ignored';
    ok $roster->wait_log(qr/\[warning\].*trusted_proxies/), 'and logged';
};

# ---- Roles ----

subtest 'roles' => sub {
    my %who = map { ($_ => $roster->add_user(role => $_)) } qw(pending user admin banned);
    my %paths =
        ('/auths/' => 'pending user admin banned', '/users/user/status' => 'user admin', '/users/all' => 'admin');
    for my $path (sort keys %paths) {
        for my $role (sort keys %who) {
            my $answer = $roster->get($path, $who{$role});
            if (grep { $_ eq $role } split / /, $paths{$path}) {
                is $answer->{status}, 200, "$path: $role" or diag $answer->{body};
            }
            else { refused $answer, 'ACCESS_PROHIBITED', "$path: $role" }
        }
    }
    $roster->sql('UPDATE user SET role = ? WHERE id = ?', 'admin', $who{user}{id});
    is $roster->get('/users/all', $who{user})->{status}, 200, 'the role of the row counts, at once';
    my %body = (body => '{"half', headers => ['Content-Type' => 'application/json']);
    refused $roster->request(POST => '/users/default/permissions', %body), 'NOT_AUTHENTICATED',
        'bad JSON of somebody unknown';
    refused $roster->request(
        POST => '/users/default/permissions',
        %body, headers => [Authorization => "Bearer $other->{token}"]
        ),
        'ACCESS_PROHIBITED', 'bad JSON of a user';
    is_problem $roster->request(
        POST => '/users/default/permissions',
        %body, headers => [Authorization => "Bearer $who{admin}{token}"]
        ),
        422, 'VALIDATION_ERROR',
        'bad JSON of an administrator: authentication comes before any look at the body';
};

# ---- last_active_at ----

subtest 'last_active_at' => sub {
    my @workers = $roster->workers('api');
    my $person = $roster->add_user;
    my $last = sub { return $roster->sql('SELECT last_active_at FROM user WHERE id = ?', $person->{id}) };
    my $set =
        sub ($ago) { $roster->sql('UPDATE user SET last_active_at = ? WHERE id = ?', time - $ago, $person->{id}) };
    my $call = sub ($pid) {
        return $roster->on_worker('api', $pid, sub { ask(token => $person->{token}) });
    };
    $set->(3600);
    accepted $call->($workers[0]), 'a request', $person->{id};
    ok wait_until(5, sub { $last->() >= $now }), 'sets it to now';
    for my $ago (10, 50) {
        $set->($ago);
        my $before = $last->();
        $call->($_) for @workers, @workers;
        $call->($_) for @workers;    # each worker is through with the one before
        is $last->(), $before, "$ago s later no worker sets it";
    }
    $set->(61);
    $call->($workers[1]);
    ok wait_until(5, sub { $last->() > time - 30 }), 'after the interval the other one does';

    # As many updates as there were intervals, whoever serves the requests.
    my $updates = sub { return ($roster->sql(q{SHOW GLOBAL STATUS LIKE 'Handler_update'}))[0][1] };
    $set->(3600);
    my $before = $updates->();
    at_once((sub { ask(token => $person->{token}) for 1 .. 10 }) x 4);
    $call->($_) for @workers;
    ok $roster->settle, 'all that was noted is written';
    is $updates->() - $before, 1, 'forty requests at once over all workers: one update';

    my $lock = Roster::Database->connect($roster->socket_path('mariadb'));
    $set->(3600);
    $lock->run('START TRANSACTION');
    $lock->run('SELECT id FROM user WHERE id = ? FOR UPDATE', $person->{id});
    my $start = Time::HiRes::time();
    accepted ask(token => $person->{token}), 'while the row is locked', $person->{id};
    cmp_ok Time::HiRes::time() - $start, '<', 1, 'the answer does not wait: it is written afterwards';
    accepted ask(token => $person->{token}), 'nor does the worker', $person->{id} for @workers;
    cmp_ok $last->(), '<', time - 3000, 'it is not written';
    $lock->run('ROLLBACK');
    ok wait_until(5, sub { $last->() > time - 60 }), '... until the row is free';

    # Both have read the old time when a third one, on another host, writes.
    $set->(3600);
    $lock->run('START TRANSACTION');
    $lock->run('SELECT id FROM user WHERE id = ? FOR UPDATE', $person->{id});
    $call->($_) for @workers;
    my $written = time - 30;
    $lock->run('UPDATE user SET last_active_at = ? WHERE id = ?', $written, $person->{id});
    $lock->run('COMMIT');
    $lock->disconnect;
    $call->($_) for @workers;    # who answers is through with the request before
    ok $roster->settle, 'all that was noted is written';
    is $last->(), $written, 'whoever comes second leaves it';

    $set->(3600);
    $roster->sql('UPDATE user SET role = ? WHERE id = ?', 'pending', $person->{id});
    refused ask(token => $person->{token}), 'ACCESS_PROHIBITED', 'a pending person';
    ok wait_until(5, sub { $last->() > time - 60 }), 'is active as well';
    $set->(3600);
    refused ask(token => $roster->token_for($person->{id}, exp => $now - 5)), 'UNAUTHORIZED', 'an expired token';
    ask(token => $token) for 1 .. 4;
    cmp_ok $last->(), '<', time - 3000, 'shows nobody active';
};

# ---- Lifetimes without an end ----

subtest 'unlimited lifetimes' => sub {
    my $admin = $roster->add_user(role => 'admin');
    my $settings = $roster->settings($admin);
    my $lifetime = sub ($text) {
        my $answer = $roster->post('/auths/admin/config', $admin, {%$settings, JWT_EXPIRES_IN => $text});
        is $answer->{status}, 200, "JWT_EXPIRES_IN: $text" or diag $answer->{body};
    };
    my $endless = claims(exp => $absent);
    my $bare = $roster->jwt({id => $user->{id}});
    for my $text ('-1', '0') {
        $lifetime->($text);
        accepted ask(token => $endless), 'a token without exp';
        accepted ask(token => $bare), 'a token with id alone';
        refused ask(token => claims(exp => $now - 1)), 'UNAUTHORIZED', 'exp counts where it is there';
        refused ask(token => claims(exp => undef)), 'UNAUTHORIZED', 'exp null';
        my $answer = $roster->get('/auths/', $endless);
        is $answer->{json}{expires_at}, undef, 'expires_at is null';
        is $answer->{json}{token}, $endless, 'and the token is the same';
        unlike $answer->{set_cookie}[0], qr/expires|max-age/i, 'the cookie has no expiry';
    }
    $lifetime->('1h');
    my $answer = ask(token => $endless, cookie => $endless);
    refused $answer, 'UNAUTHORIZED', 'a token without exp, limited again';
    is deleted_cookies($answer), 'token', 'and the cookie is deleted';
};

done_testing;
