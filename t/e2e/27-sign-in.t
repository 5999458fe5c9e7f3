# Accounts and how one gets in: sign-in, sign-up, sign-out, the present session, accounts made by an administrator,
# password, profile, time zone, and the settings of the service.
use v5.36;
use utf8;

use Encode ();
use MIME::Base64 ();
use Test::More;
use Roster;

binmode Test::More->builder->$_, ':encoding(UTF-8)' for qw(output failure_output);

my $roster = Roster->new(https => 1, config => {rate_limits => 'no', last_active_interval => '1d'});
my $coder = JSON::PP->new->utf8->canonical->allow_nonref;
my ($true, $false) = (JSON::PP::true, JSON::PP::false);
my $admin = $roster->add_user(role => 'admin', created_at => 1_000_000, name => 'Ada Min', email => 'ada@example.org');
my $password = 'a password of some length';
my @session_keys = sort qw(token token_type expires_at id email name role profile_image_url permissions);
my @four = qw(oauth_id_token oauth_session_id oui-session token);

sub hash_of ($user) { return $roster->sql('SELECT password FROM auth WHERE id = ?', $user->{id}) }

sub sessions_of ($user) {
    return $roster->sql('SELECT COUNT(*) FROM session WHERE user_id = ? AND revoked_at IS NULL', $user->{id});
}

# A test: this token is good, or over, for each worker.
sub token_is ($token, $status, $name) {
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    my @statuses = map { $_->{status} } $roster->on_each_worker('api', sub { $roster->get('/auths/', $token) });
    return is "@statuses", join(' ', ($status) x @statuses), $name;
}

sub stored_config () {
    return Encode::encode('UTF-8', scalar $roster->sql('SELECT data FROM config ORDER BY id DESC LIMIT 1'));
}

# ---- Sign-in ----

subtest 'sign-in' => sub {
    my $user = $roster->add_user(
        email => 'Jürgen.Straße@Example.org',
        name => 'Jürgen',
        profile_image_url => 'https://example.org/j.png');
    my $now = time;
    my $answer = $roster->sign_in(
        'Jürgen.Straße@Example.org',
        password => $user->{password},
        headers => ['User-Agent' => 'A browser/1.0'],
        client => '192.0.2.7');
    is $answer->{status}, 200, 'the right password' or diag $answer->{body};
    my $session = $answer->{json};
    is_deeply [sort keys %$session], \@session_keys, 'the answer is a Session';
    is_deeply [@$session{qw(token_type id email name role profile_image_url)}],
        ['Bearer', @$user{qw(id email name role)}, 'https://example.org/j.png'], 'of this user';
    cmp_ok abs($session->{expires_at} - $now - 28 * 86400), '<', 5, 'for four weeks';
    is_deeply $session->{permissions}, $roster->get('/users/permissions', $session->{token})->{json},
        'with what the user may do';
    my $claims = Roster::claims_of($session->{token});
    is_deeply [sort keys %$claims], [qw(exp iat id jti)], 'the claims of the token';
    is_deeply [@$claims{qw(id exp)}], [$user->{id}, $session->{expires_at}], 'tell user and expiry';
    like $claims->{jti}, qr/^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/, 'and a random id';
    cmp_ok abs($claims->{iat} - $now), '<', 5, 'and when it was issued';
    like $coder->encode($coder->decode(MIME::Base64::decode_base64url((split /\./, $session->{token})[0]))),
        qr/^\{"alg":"HS256","kid":"[0-9a-f]{8}","typ":"JWT"\}$/, 'the header of the token';
    my @cookies = @{$answer->{set_cookie}};
    is scalar @cookies, 2, 'the cookie of the session, and that of the device';
    like $cookies[1], qr/^roster_device=[0-9a-f]{146}; Max-Age=31536000; Path=\/; HttpOnly; SameSite=lax$/,
        'which comes second';
    my $date = qr/\w{3}, \d\d \w{3} \d{4} \d\d:\d\d:\d\d GMT/;
    like $cookies[0], qr/^token=\Q$session->{token}\E; Expires=$date; Path=\/; HttpOnly; SameSite=lax$/,
        'with its attributes';
    is_deeply [
        $roster->sql(
            'SELECT user_id, expires_at, address, user_agent, revoked_at FROM session WHERE jti = ?',
            $claims->{jti})
        ],
        [[$user->{id}, $session->{expires_at}, '192.0.2.7', 'A browser/1.0', undef]], 'the session is noted';
    is $roster->get('/auths/', $session->{token})->{json}{id}, $user->{id}, 'the token works';
    is $roster->request(GET => '/auths/', cookie => $session->{token})->{status}, 200, 'as a cookie, too';
    is $answer->{headers}{'cache-control'}, 'no-store', 'nothing of it is kept on the way';

    is $roster->sign_in($_, password => $user->{password})->{status}, 200, "the email in another form: '$_'"
        for 'jürgen.straße@example.org', 'JÜRGEN.STRAßE@EXAMPLE.ORG', '  Jürgen.Straße@example.org ';
    isnt $roster->sign_in($user->{email}, password => $user->{password})->{json}{token}, $session->{token},
        'each sign-in is another session';
    like $roster->sign_in($user->{email}, password => $user->{password}, https => 1)->{set_cookie}[0], qr/; Secure$/,
        'by https the cookie is for https alone';
    is $roster->sign_in($user->{email}, password => $user->{password}, token => 'rubbish', cookie => 'rubbish')
        ->{status}, 200,
        'a bad token does not matter';
    is $roster->request(
        POST => '/api/v1/auths/signin',
        json => {email => $user->{email}, password => $user->{password}, more => 1}
    )->{status}, 200, 'the other path, further fields';

    my $wrong = $roster->sign_in($user->{email}, password => 'wrong password');
    is_problem $wrong, 400, 'INVALID_CRED', 'a wrong password';
    is_deeply $wrong->{set_cookie}, [], 'sets no cookie';
    is $roster->sign_in('nobody@example.org')->{body}, $wrong->{body}, 'an unknown email looks the same';
    for my $bad (
        ['no address', 'x'],
        ['an address in full width', 'ｊürgen.straße@example.org'],
        ['other accents', 'jurgen.straße@example.org'],
        ['a pattern', '%@example.org'],
        ['an empty one', ''])
    {
        is_problem $roster->sign_in($bad->[1], password => $user->{password}), 400, 'INVALID_CRED',
            "the email is $bad->[0]";
    }
    is_problem $roster->sign_in($user->{email}, password => $_), 400, 'INVALID_CRED',
        'the password is ' . ($_ eq '' ? 'empty' : 'nearly right')
        for '', "$user->{password} ", ucfirst $user->{password}, substr $user->{password}, 0, -1;
    my $off = $roster->add_user(active => 0);
    is_problem $roster->sign_in($off->{email}), 400, 'INVALID_CRED', 'an account that is switched off';
    my $bare = $roster->add_user;
    $roster->sql('DELETE FROM auth WHERE id = ?', $bare->{id});
    is_problem $roster->sign_in($bare->{email}, password => $_), 400, 'INVALID_CRED', 'an account without a password'
        for $Roster::PASSWORD, '';
    for my $hash ('', 'x', '$s1$', '$s1$0a0801$AAAA$AAAA', '$2b$04$short', '$1$abc$def', $user->{password},
        '$s1$1f0801$AAAAAAAAAAAAAAAAAAAAAA==$' . 'A' x 86 . '==')
    {
        my $broken = $roster->add_user;
        $roster->sql('UPDATE auth SET password = ? WHERE id = ?', $hash, $broken->{id});
        is_problem $roster->sign_in($broken->{email}, password => $user->{password}), 400, 'INVALID_CRED',
            "a hash that is none: '$hash'";
    }
    my $pending = $roster->add_user(role => 'pending');
    is $roster->sign_in($pending->{email})->{json}{role}, 'pending', 'a pending account signs in';
    is $roster->get('/auths/signin')->{status}, 405, 'GET is not how';
    like $roster->log_text, qr/\[warning\].*sign-in failed/, 'failures are in the log';
};

subtest 'imported hashes' => sub {
    my %made;
    for my $kind (qw(2a 2b 2y)) {
        my $user = $roster->add_user;
        my $hash = crypt $Roster::PASSWORD, "\$$kind\$04\$abcdefghijklmnopqrstuu";
        $roster->sql('UPDATE auth SET password = ? WHERE id = ?', $hash, $user->{id});
        is_problem $roster->sign_in($user->{email}, password => 'wrong'), 400, 'INVALID_CRED',
            "\$$kind\$: a wrong password";
        is hash_of($user), $hash, '... changes nothing';
        my $session = $roster->sign_in($user->{email})->{json};
        like $made{$kind} = hash_of($user), qr/^\$s1\$0a0801\$/, "\$$kind\$: the right one replaces it by scrypt";
        is $roster->sign_in($user->{email})->{status}, 200, '... which works';
        is hash_of($user), $made{$kind}, '... and stays';
        token_is($session->{token}, 200, '... and no session has ended');
    }
    my $long = 'long and longer ' x 6;
    my $user = $roster->add_user(password => $long);
    is $roster->sign_in($user->{email}, password => substr($long, 0, 72) . 'something else')->{status}, 200,
        'of an imported password the first 72 bytes count';
    is_problem $roster->sign_in($user->{email}, password => $long), 400, 'INVALID_CRED',
        'afterwards all of what was given does';
    is $roster->sign_in($user->{email}, password => substr($long, 0, 72) . 'something else')->{status}, 200,
        '... to its end';
};

subtest 'stronger hashes' => sub {
    my $user = $roster->add_user;
    my $session = $roster->sign_in($user->{email})->{json};
    my $old = hash_of($user);
    for my $case (
        [{password_scrypt_n => 2048}, '0b0801'],
        [{password_scrypt_n => 2048, password_scrypt_p => 2}, '0b0802'],
        [{password_scrypt_n => 1024, password_scrypt_p => 1}, '0a0801'])
    {
        my ($changes, $form) = @$case;
        $roster->reconfigure(%$changes);
        is hash_of($user), $old, 'nothing happens by itself';
        is_problem $roster->sign_in($user->{email}, password => 'wrong'), 400, 'INVALID_CRED',
            'nor by a wrong password';
        is hash_of($user), $old, '... still the old one';
        is $roster->sign_in($user->{email})->{status}, 200, 'a sign-in';
        like $old = hash_of($user), qr/^\$s1\$$form\$/, 'brings the new parameters';
        is $roster->sign_in($user->{email})->{status}, 200, '... which work';
        is hash_of($user), $old, '... and stay';
    }
    token_is($session->{token}, 200, 'no session has ended');
};

subtest 'a password that is changed while somebody signs in with the old one' => sub {
    my $beside = Roster::Database->connect($roster->socket_path('mariadb'));
    my $user = $roster->add_user;
    my $new = crypt 'the new password', '$2b$04$abcdefghijklmnopqrstuu';
    $beside->run('START TRANSACTION');
    $beside->run('SELECT id FROM user WHERE id = ? FOR UPDATE', $user->{id});
    my $result = in_background(sub { in_short($roster->sign_in($user->{email})) });
    ok $roster->wait_statement('FOR UPDATE'), 'the old hash is about to be replaced';
    $beside->run('UPDATE auth SET password = ? WHERE id = ?', $new, $user->{id});
    $beside->run('COMMIT');
    is $result->(), '400 INVALID_CRED', 'the sign-in fails';
    is hash_of($user), $new, 'and does not bring the old password back';
    is sessions_of($user), 0, 'nor is there a session';
    is $roster->sign_in($user->{email}, password => 'the new password')->{status}, 200, 'the new one works';

    my $hash = hash_of($user);
    $beside->run('START TRANSACTION');
    $beside->run('UPDATE auth SET password = ? WHERE id = ?', $new, $user->{id});
    $result = in_background(sub { in_short($roster->sign_in($user->{email}, password => 'the new password')) });
    ok $roster->wait_statement('^INSERT INTO session'), 'a session is about to begin';
    $beside->run('UPDATE auth SET password = ? WHERE id = ?', $Roster::PASSWORD_HASH, $user->{id});
    $beside->run('COMMIT');
    is $result->(), '400 INVALID_CRED', 'the sign-in fails';
    is sessions_of($user), 1, 'and there is no further session';

    $roster->sign_in($user->{email});
    my $session = $roster->sign_in($user->{email})->{json};
    my $change = sub ($to) {
        return $roster->post('/auths/update/password', $session, {password => $Roster::PASSWORD, new_password => $to});
    };
    $beside->run('START TRANSACTION');
    $beside->run('SELECT id FROM user WHERE id = ? FOR UPDATE', $user->{id});
    $result = in_background(sub { in_short($change->('another new password')) });
    ok $roster->wait_statement('FOR UPDATE'), 'a change is about to be made';
    $beside->run('UPDATE auth SET password = ? WHERE id = ?', $new, $user->{id});
    $beside->run('COMMIT');
    is $result->(), '400 INCORRECT_PASSWORD', 'by then the old password is not the present one';
    is hash_of($user), $new, 'and what was set meanwhile stays';
    $beside->disconnect;
};

# ---- Sign-out ----

subtest 'sign-out' => sub {
    my $user = $roster->add_user;
    my $new = sub { return $roster->sign_in($user->{email})->{json}{token} };
    my $out = sub ($name, %options) {
        my $answer = $roster->request(GET => '/auths/signout', %options);
        is "$answer->{status} $answer->{body}", '200 {"status":true}', $name;
        is deleted_cookies($answer), "@four", "$name: the four cookies are deleted";
        return $answer;
    };
    my ($token, $other) = ($new->(), $new->());
    token_is($token, 200, 'before');
    $out->('by header', token => $token);
    token_is($token, 401, 'the token is over');
    is_problem $roster->get('/auths/', $token), 401, 'INVALID_TOKEN', '... and says so';
    token_is($other, 200, 'another session is not');
    my $jti = Roster::claims_of($token)->{jti};
    my $left = $roster->redis('TTL', "open-webui:auth:token:$jti:revoked");
    cmp_ok abs(29 * 86400 - $left), '<', 60,
        'other programs find the revocation in Redis until the token expires, and a day more for clocks that differ';
    $out->('once more', token => $token);
    $out->('by cookie', cookie => $other);
    token_is($other, 401, 'by cookie: over');
    $out->('without a token');
    $out->('with rubbish', token => 'rubbish', cookie => 'rubbish');
    $out->('with an expired token', token => $roster->token_for($user->{id}, exp => time - 5));
    $out->('with a token of nobody', token => $roster->token_for('nobody'));
    $out->(
        'with a token of another key',
        token => $roster->jwt({id => $user->{id}, jti => 'x', exp => time + 100}, key => 'y' x 43));
    $out->('with an API key', token => 'sk-unknown');
    $out->('with a malformed header field', headers => [Authorization => 'Bearer a b']);
    my $foreign = $roster->token_for($user->{id});
    token_is($foreign, 200, 'a token of another program');
    $out->('with it', token => $foreign);
    token_is($foreign, 401, 'is over');
    for my $long ('x' x 256, 'é' x 200, 'y' x 3000) {
        my ($one, $two) = map { $roster->token_for($user->{id}, jti => "$long$_") } 1, 2;
        $out->('a jti of ' . length($long) . ' characters', token => $one);
        token_is($one, 401, 'is over');
        token_is($two, 200, '... and one that begins like it is not');
    }
    $roster->redis('FLUSHALL');
    token_is($_, 401, 'Redis may forget it') for $token, $other, $foreign;
    my $bare = $roster->jwt({id => $user->{id}, exp => time + 3600});
    $out->('without jti', token => $bare);
    token_is($bare, 200, 'a token without jti can be ended by no one but its user, everywhere');
    is $roster->request(POST => '/auths/signout')->{status}, 200, 'POST does the same';
};

# ---- The present session ----

subtest 'GET /auths/' => sub {
    my $user = $roster->add_user(
        bio => 'A bio',
        gender => 'none',
        date_of_birth => '1999-12-31',
        status_emoji => '🎉',
        status_message => 'Hi',
        status_expires_at => 5_000_000_000);
    my $session = $roster->sign_in($user->{email})->{json};
    my $answer = $roster->get('/auths/', $session->{token});
    is_deeply [sort keys %{$answer->{json}}],
        [sort @session_keys, qw(bio gender date_of_birth status_emoji status_message status_expires_at)],
        'the answer is a SessionUser';
    is_deeply [@{$answer->{json}}{qw(bio gender date_of_birth status_emoji status_message status_expires_at)}],
        ['A bio', 'none', '1999-12-31', '🎉', 'Hi', 5_000_000_000], 'with the profile';
    is_deeply [@{$answer->{json}}{qw(token token_type expires_at id email)}],
        [@$session{qw(token token_type expires_at id email)}], 'the same token and expiry';
    is_deeply $answer->{json}{permissions}, $session->{permissions}, 'what the user may do';
    like $answer->{set_cookie}[0],
        qr/^token=\Q$session->{token}\E; Expires=\w{3}, .* GMT; Path=\/; HttpOnly; SameSite=lax$/,
        'the cookie is set again';
    is_deeply $roster->request(GET => '/auths', cookie => $session->{token})->{json}, $answer->{json},
        'by cookie, without the slash';
    is_deeply $roster->get('/api/v1/auths//', $session, headers => ['Content-Type', 'application/json'])->{json},
        $answer->{json}, 'under the other path';
    my $bare = $roster->add_user(role => 'pending');
    is_deeply [@{$roster->get('/auths/', $bare)->{json}}
            {qw(role bio gender date_of_birth status_emoji status_message status_expires_at)}
    ], ['pending', (undef) x 6], 'somebody pending, without a profile';
    is $roster->get('/auths/', $bare)->{json}{expires_at}, Roster::claims_of($bare->{token})->{exp},
        'a token of another program has its own expiry';

    my $before = $roster->change_settings($admin, ENABLE_API_KEYS => $true);
    my $key = $roster->post('/auths/api_key', $admin, undef)->{json}{api_key};
    $answer = $roster->get('/auths/', $key);
    is_deeply [@{$answer->{json}}{qw(token expires_at id)}], [undef, undef, $admin->{id}],
        'with an API key there is no token and no expiry';
    is_deeply $answer->{set_cookie}, [], 'and no cookie';
    $roster->change_settings($admin, %$before);
};

# ---- Lifetimes ----

subtest 'lifetimes' => sub {
    my $user = $roster->add_user;
    my $before = $roster->settings($admin);
    for my $case (
        ['30m', 1800],
        ['1h30m', 5400],
        ['90s', 90],
        ['1.5h', 5400],
        ['500ms', 1],
        ['2w', 14 * 86400],
        ['1d', 86400])
    {
        my ($text, $seconds) = @$case;
        $roster->change_settings($admin, JWT_EXPIRES_IN => $text);
        my $session = $roster->sign_in($user->{email})->{json};
        cmp_ok abs($session->{expires_at} - time - $seconds), '<=', 2, "$text: expires_at";
        is Roster::claims_of($session->{token})->{exp}, $session->{expires_at}, '... and exp';
    }
    for my $text ('-1', '0') {
        $roster->change_settings($admin, JWT_EXPIRES_IN => $text);
        my $answer = $roster->sign_in($user->{email});
        my $session = $answer->{json};
        is $session->{expires_at}, undef, "$text: expires_at is null";
        is_deeply [sort keys %{Roster::claims_of($session->{token})}], [qw(iat id jti)], '... no exp';
        unlike $answer->{set_cookie}[0], qr/Expires|Max-Age/, '... the cookie is for the session of the browser';
        token_is($session->{token}, 200, '... and it works');
        is $roster->get('/auths/signout', $session)->{status}, 200, '... until sign-out';
        token_is($session->{token}, 401, '... for ever');
        is $roster->redis('TTL', 'open-webui:auth:token:' . Roster::claims_of($session->{token})->{jti} . ':revoked'),
            -1,
            '... in Redis as well';
    }
    $roster->change_settings($admin, %$before);
};

# ---- Sign-up ----

my $number = 0;

sub sign_up (%fields) {
    $number++;
    return $roster->request(
        POST => '/auths/signup',
        json => {name => "New $number", email => "new$number\@example.org", password => $password, %fields});
}

subtest 'sign-up' => sub {
    my $answer = sign_up(
        name => 'Ünï',
        email => 'Somebody.NEW@Example.Org',
        password => $password,
        profile_image_url => 'https://example.org/x.png');
    is $answer->{status}, 200, 'a new account' or diag $answer->{body};
    my $session = $answer->{json};
    is_deeply [sort keys %$session], \@session_keys, 'the answer is a Session';
    is_deeply [@$session{qw(email name role profile_image_url token_type)}],
        ['somebody.new@example.org', 'Ünï', 'pending', 'https://example.org/x.png', 'Bearer'],
        'the email in lower case, role pending';
    like $answer->{set_cookie}[0], qr/^token=\Q$session->{token}\E; /, 'with the cookie';
    token_is($session->{token}, 200, 'the token works');
    is $roster->sign_in('somebody.new@example.org', password => $password)->{json}{id}, $session->{id},
        'and so does the password';
    like hash_of($session), qr/^\$s1\$0a0801\$/, 'stored as scrypt';
    is $roster->sql('SELECT email FROM auth WHERE id = ?', $session->{id}), 'somebody.new@example.org',
        'under the same email';
    is sign_up()->{json}{profile_image_url}, '/user.png', 'without a picture: the default one';
    is sign_up(profile_image_url => undef)->{json}{profile_image_url}, '/user.png', 'null counts as absent';
    my $png = 'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNkYPhfDwAChwGA60e6kgAAAABJRU5ErkJggg==';
    like sign_up(profile_image_url => "data:image/png;base64,$png")->{json}{profile_image_url},
        qr{^/pictures/[0-9a-f]{64}\.png$}, 'a data URI: its address';
    is sign_up(email => 'x@localhost')->{status}, 200, 'x@localhost is an email address';

    is_problem sign_up(email => $_), 400, 'INVALID_EMAIL_FORMAT', "'" . substr($_, 0, 20) . "' is none"
        for 'x', 'x@', '@example.org', 'x@y', 'a b@example.org', 'x@example.', 'x@.org', '', 'a@b@c.org',
        'x' x 300 . '@example.org';
    is_problem sign_up(email => $_), 400, 'EMAIL_TAKEN', "'$_' is taken"
        for $admin->{email}, uc $admin->{email}, " $admin->{email} ", 'somebody.new@example.org';
    is_problem sign_up(password => $_), 400, 'INVALID_PASSWORD', "the password '$_'"
        for '', 'short', '7 bytes', 'password', 'PASSWORD', '12345678', 'qwertyuiop';
    $roster->no_secret($_) for 'password', 'PASSWORD', '12345678';    # which stand in logs for other reasons
    is_problem sign_up(email => 'myself1@example.org', password => 'myself1@example.org'), 400, 'INVALID_PASSWORD',
        'the email as password';
    is_problem sign_up(email => 'myself.too@example.org', password => 'Myself.Too'), 400, 'INVALID_PASSWORD',
        'its first part as password';
    is_problem sign_up(name => 'Eleanor Rigby', password => 'eleanor rigby'), 400, 'INVALID_PASSWORD',
        'the name as password';
    is sign_up(password => 'x7' x 4)->{status}, 200, '8 bytes are enough';
    is sign_up(password => 'ü7' x 3)->{status}, 200, '9 bytes of 6 characters are';
    is sign_up(password => 'x7' x 128)->{status}, 200, '256 bytes are taken';
    is_problem sign_up(password => 'x7' x 128 . 'x'), 400, 'PASSWORD_TOO_LONG', '257 are too long';
    my $long = 'x7' x 100;
    my $user = sign_up(password => $long . 'end')->{json};
    is_problem $roster->sign_in($user->{email}, password => "${long}END"), 400, 'INVALID_CRED',
        'all of a long password counts';
    is $roster->sign_in($user->{email}, password => "${long}end")->{status}, 200, 'to its end';
    is_problem sign_up(profile_image_url => $_), 400, 'INVALID_IMAGE', "the picture '$_'"
        for 'javascript:alert(1)', 'data:image/svg+xml;base64,PHN2Zy8+', 'data:image/png;base64,AAAA',
        'ftp://example.org/x';
    is_problem sign_up(email => 'x', password => ''), 400, 'INVALID_EMAIL_FORMAT', 'the email is looked at first';
    is_problem sign_up(email => $admin->{email}, password => ''), 400, 'EMAIL_TAKEN',
        'then whether it is taken, then the password';
    is_problem sign_up(name => 'x' x 256), 422, 'VALIDATION_ERROR', 'a name of 256 characters';
    is sign_up(name => 'ü' x 255)->{status}, 200, 'of 255';

    my $group = $roster->post('/groups/create', $admin, {name => 'Newcomers', description => ''})->{json};
    my $before = $roster->change_settings($admin, DEFAULT_USER_ROLE => 'user', DEFAULT_GROUP_ID => $group->{id});
    $roster->sql('UPDATE `group` SET updated_at = 1000');
    $session = sign_up()->{json};
    cmp_ok $roster->sql('SELECT updated_at FROM `group` WHERE id = ?', $group->{id}), '>', 1000,
        'a group that gets a member has changed';
    is $session->{role}, 'user', 'the default role';
    is_deeply [map { $_->{id} } @{$roster->get('/users/groups', $session->{token})->{json}}], [$group->{id}],
        'and the default group';
    $roster->ask(DELETE => "/groups/id/$group->{id}/delete", $admin);
    is sign_up()->{status}, 200, 'a default group that is gone does not matter';
    $roster->change_settings($admin, %$before, DEFAULT_GROUP_ID => '', DEFAULT_USER_ROLE => 'admin');
    is sign_up()->{json}{role}, 'admin', 'the default role may be admin';
    $roster->change_settings($admin, %$before, ENABLE_SIGNUP => $false);
    my $count = $roster->sql('SELECT COUNT(*) FROM user');
    is_problem sign_up(), 403, 'ACCESS_PROHIBITED', 'sign-up is off';
    is_problem sign_up(email => 'x'), 403, 'ACCESS_PROHIBITED', 'that comes before the email';
    is_problem sign_up(email => 5), 422, 'VALIDATION_ERROR', 'but after validation';
    is $roster->sql('SELECT COUNT(*) FROM user'), $count, 'nobody was added';
    $roster->change_settings($admin, %$before);
};

subtest 'sixty sign-ups at once with one email' => sub {
    my @requests = map {
        Roster::Http::compose(
            POST => '/auths/signup',
            json =>
                {name => "Many $_", email => ($_ % 2 ? 'Many@example.org' : 'many@Example.org'), password => $password})
    } 1 .. 60;
    my %outcomes;
    $outcomes{in_short($_)}++ for $roster->all_at_once(@requests);
    delete $outcomes{'503 UNAVAILABLE'};    # the queue may be full
    is delete $outcomes{'200'}, 1, 'one gets it';
    is_deeply [keys %outcomes], ['400 EMAIL_TAKEN'], 'all others are told that it is taken';
    is $roster->sql(q{SELECT COUNT(*) FROM user WHERE email = 'many@example.org'}), 1, 'one account';
};

# ---- Accounts made by an administrator ----

subtest 'POST /auths/add' => sub {
    my $add = sub ($who, %fields) {
        $number++;
        return $roster->post('/auths/add', $who,
            {name => "Added $number", email => "Added$number\@example.org", password => $password, %fields});
    };
    is_problem $add->($roster->add_user), 401, 'ACCESS_PROHIBITED', 'a user may not';
    my $before = $roster->change_settings($admin, ENABLE_SIGNUP => $false, DEFAULT_USER_ROLE => 'user');
    my $answer = $add->($admin, name => 'Added', email => 'Added.One@example.org');
    is $answer->{status}, 200, 'an account, though sign-up is off' or diag $answer->{body};
    my $added = $answer->{json};
    is_deeply [sort grep { $_ ne 'expires_at' } keys %$added],
        [sort qw(token token_type id email name role profile_image_url)], 'the answer';
    is_deeply [@$added{qw(token_type email name role profile_image_url)}],
        ['Bearer', 'added.one@example.org', 'Added', 'pending', '/user.png'], 'role pending, whatever the default role';
    is_deeply $answer->{set_cookie}, [], 'no cookie: the administrator stays who they are';
    token_is($added->{token}, 200, 'its token works');
    is $roster->get('/auths/', $added->{token})->{json}{id}, $added->{id}, 'for the new user';
    cmp_ok abs(Roster::claims_of($added->{token})->{exp} - time - 28 * 86400), '<', 5, 'and expires like any other';
    is $roster->sign_in('added.one@example.org', password => $password)->{json}{id}, $added->{id},
        'and so does the password';
    is $add->($admin, role => $_)->{json}{role}, $_, "role $_" for qw(user admin pending);
    is $add->($admin, role => undef)->{json}{role}, 'pending', 'role null';
    is_problem $add->($admin, role => 'owner'), 422, 'VALIDATION_ERROR', 'another role';
    is_problem $add->($admin, email => 'ADDED.one@example.org'), 400, 'EMAIL_TAKEN', 'a taken email';
    is_problem $add->($admin, email => 'x'), 400, 'INVALID_EMAIL_FORMAT', 'no email';
    is_problem $add->($admin, password => 'x7x7x7x'), 400, 'INVALID_PASSWORD', 'a short password';
    is_problem $add->($admin, password => 'x7' x 200), 400, 'PASSWORD_TOO_LONG', 'a long one';
    is_problem $add->($admin, profile_image_url => 'javascript:x'), 400, 'INVALID_IMAGE', 'no picture';
    my $group = $roster->post('/groups/create', $admin, {name => 'Added', description => ''})->{json};
    $roster->change_settings($admin, DEFAULT_GROUP_ID => $group->{id});
    $added = $add->($admin)->{json};
    is_deeply [map { $_->{id} } @{$roster->get("/users/$added->{id}/groups", $admin)->{json}}], [$group->{id}],
        'the default group applies';
    $roster->change_settings($admin, %$before);
};

# ---- The caller's own password, profile, time zone ----

subtest 'the password' => sub {
    my $user = $roster->add_user(role => 'pending', email => 'changes@example.org', name => 'Chan Ges');
    my $token = $roster->sign_in($user->{email})->{json}{token};
    my $change = sub ($old, $new) {
        return $roster->post('/auths/update/password', $token, {password => $old, new_password => $new});
    };
    my $hash = hash_of($user);
    is_problem $change->('wrong', $password), 400, 'INCORRECT_PASSWORD', 'a wrong present one';
    is_problem $change->('', $password), 400, 'INCORRECT_PASSWORD', 'an empty one';
    is_problem $change->('wrong', 'x'), 400, 'INCORRECT_PASSWORD', 'which is looked at first';
    is_problem $change->($user->{password}, $_), 400, 'INVALID_PASSWORD', "the new one is '$_'"
        for '', 'short', 'password1', 'Changes@example.org', 'chan ges';
    is_problem $change->($user->{password}, 'x7' x 200), 400, 'PASSWORD_TOO_LONG', 'the new one is too long';
    is hash_of($user), $hash, 'nothing has changed';
    is $change->($user->{password}, $password)->{body}, 'true', 'a good one, of somebody pending';
    is_problem $roster->sign_in($user->{email}), 400, 'INVALID_CRED', 'the old one works no more';
    is $roster->sign_in($user->{email}, password => $password)->{status}, 200, 'the new one does';
    is $change->($password, $password)->{body}, 'true', 'the same again is no fault';
    is_problem $roster->request(POST => '/auths/update/password', json => {password => 'x', new_password => 'y'}), 401,
        'NOT_AUTHENTICATED', 'nobody';
    my $bare = $roster->add_user;
    $roster->sql('DELETE FROM auth WHERE id = ?', $bare->{id});
    is_problem $roster->post('/auths/update/password', $bare, {password => '', new_password => $password}), 400,
        'INCORRECT_PASSWORD', 'who has none has no right one';
};

subtest 'the profile' => sub {
    my $user = $roster->add_user(updated_at => 5, bio => 'Old', gender => 'old', date_of_birth => '1950-01-01');
    my $answer = $roster->post(
        '/auths/update/profile',
        $user,
        {
            name => 'Näme',
            profile_image_url => '/x.png',
            bio => 'Bio',
            gender => 'g',
            date_of_birth => '1999-12-31',
            email => 'x@y.z',
            role => 'admin'
        });
    is_deeply $answer->{json},
        {id => $user->{id}, name => 'Näme', role => 'user', email => $user->{email}, profile_image_url => '/x.png'},
        'the answer; email and role are not for here';
    my $row = $roster->get('/users/user/status', $user)->{json};
    is_deeply [@$row{qw(name profile_image_url bio gender date_of_birth email role)}],
        ['Näme', '/x.png', 'Bio', 'g', '1999-12-31', $user->{email}, 'user'], 'stored';
    cmp_ok $row->{updated_at}, '>', 5, 'updated_at changes';
    is $roster->post('/auths/update/profile', $user, {name => 'N', profile_image_url => ''})->{status}, 200,
        'the required ones alone';
    is_deeply [@{$roster->get('/users/user/status', $user)->{json}}{qw(name profile_image_url bio gender date_of_birth)}
        ],
        ['N', '', undef, undef, undef], 'absent ones become null';
    is_problem $roster->post('/auths/update/profile', $user, {name => 'N', profile_image_url => 'javascript:x'}), 400,
        'INVALID_IMAGE', 'no picture';
    is_problem $roster->post('/auths/update/profile', $user,
        {name => 'N', profile_image_url => '', date_of_birth => '1999-02-30'}),
        422, 'VALIDATION_ERROR', 'no date';
    is_problem $roster->post('/auths/update/profile', $user, {name => 'N'}), 422, 'VALIDATION_ERROR',
        'a required one is missing';
    is_problem $roster->post(
        '/auths/update/profile',
        $roster->add_user(role => 'pending'),
        {name => 'N', profile_image_url => ''}
        ),
        401, 'ACCESS_PROHIBITED', 'somebody pending';
};

subtest 'the time zone' => sub {
    my $user = $roster->add_user(updated_at => 5);
    for my $zone (qw(Europe/Vienna UTC America/Argentina/Buenos_Aires Etc/GMT+5)) {
        is $roster->post('/auths/update/timezone', $user, {timezone => $zone})->{body}, '{"status":true}', $zone;
        is $roster->get('/users/user/status', $user)->{json}{timezone}, $zone, '... is stored';
    }
    cmp_ok $roster->sql('SELECT updated_at FROM user WHERE id = ?', $user->{id}), '>', 5, 'updated_at changes';
    is_problem $roster->post('/auths/update/timezone', $user, {timezone => $_}), 422, 'VALIDATION_ERROR', "'$_' is none"
        for '', '/etc/passwd', '../zoneinfo/UTC', 'Europe/../UTC', 'Europe Vienna', 'Europe/Wien%00';
    is $roster->post('/auths/update/timezone', $roster->add_user(role => 'pending'), {timezone => 'UTC'})->{status},
        200,
        'somebody pending has one, too';
};

# ---- Settings of the service ----

my %fresh = (
    SHOW_ADMIN_DETAILS => $true,
    WEBUI_URL => '',
    ENABLE_SIGNUP => $true,
    ENABLE_API_KEYS => $false,
    ENABLE_API_KEYS_ENDPOINT_RESTRICTIONS => $false,
    API_KEYS_ALLOWED_ENDPOINTS => '',
    DEFAULT_USER_ROLE => 'pending',
    DEFAULT_GROUP_ID => '',
    JWT_EXPIRES_IN => '4w',
    ENABLE_COMMUNITY_SHARING => $true,
    ENABLE_MESSAGE_RATING => $true,
    ENABLE_CHANNELS => $false,
    ENABLE_FOLDERS => $true,
    ENABLE_NOTES => $true,
    ENABLE_USER_WEBHOOKS => $true,
    PENDING_USER_OVERLAY_TITLE => '',
    PENDING_USER_OVERLAY_CONTENT => '',
    RESPONSE_WATERMARK => '');

subtest 'admin details' => sub {
    my $user = $roster->add_user(role => 'pending');
    $roster->sql('DELETE FROM config');
    is_deeply $roster->get('/auths/admin/details', $user)->{json}, {name => 'Ada Min', email => 'ada@example.org'},
        'the oldest administrator, told to somebody pending';
    my $second = $roster->add_user(role => 'admin', name => 'Second');
    $roster->sql('INSERT INTO config (data) VALUES (?)',
        $coder->encode({auth => {admin => {email => $second->{email}}}}));
    is_deeply $roster->get('/auths/admin/details', $user)->{json}, {name => 'Second', email => $second->{email}},
        'the one whose email is set';
    $roster->change_settings($admin, SHOW_ADMIN_DETAILS => $false);
    is_problem $roster->get('/auths/admin/details', $_), 400, 'ACTION_PROHIBITED', 'hidden' for $user, $admin;
    is_problem $roster->get('/auths/admin/details'), 401, 'NOT_AUTHENTICATED', 'nobody';
    $roster->sql('DELETE FROM config');
};

subtest 'admin config' => sub {
    my $user = $roster->add_user;
    is_deeply $roster->settings($admin), \%fresh, 'a fresh one';
    is_problem $roster->get('/auths/admin/config', $user), 401, 'ACCESS_PROHIBITED', 'not for users';
    is_problem $roster->post('/auths/admin/config', $user, \%fresh), 401, 'ACCESS_PROHIBITED',
        'nor to be changed by them';
    my $group = $roster->post('/groups/create', $admin, {name => 'G', description => ''})->{json};
    my %other =
        (map { my $value = $fresh{$_}; ($_ => ref $value ? ($value ? $false : $true) : "A text ü of $_") } keys %fresh);
    %other = (%other, DEFAULT_USER_ROLE => 'user', DEFAULT_GROUP_ID => $group->{id}, JWT_EXPIRES_IN => '1h30m');
    is_deeply $roster->post('/auths/admin/config', $admin, {%other, MORE => 1})->{json}, \%other,
        'every key is kept and answered';
    for my $pid ($roster->workers('api')) {
        is_deeply $roster->on_worker('api', $pid, sub { $roster->get('/auths/admin/config', $admin) })->{json}, \%other,
            'by each worker at once';
    }
    my %nulls =
        (%other, map { ($_ => undef) } qw(PENDING_USER_OVERLAY_TITLE PENDING_USER_OVERLAY_CONTENT RESPONSE_WATERMARK));
    is_deeply $roster->post('/auths/admin/config', $admin, \%nulls)->{json}, \%nulls, 'three may be null';
    my %absent = %other;
    delete @absent{qw(PENDING_USER_OVERLAY_TITLE PENDING_USER_OVERLAY_CONTENT RESPONSE_WATERMARK)};
    is_deeply $roster->post('/auths/admin/config', $admin, \%absent)->{json}, \%nulls, 'or absent, which is the same';
    for my $case (
        [DEFAULT_USER_ROLE => 'owner', 'enum'],
        [DEFAULT_GROUP_ID => 'nothing', ''],
        [JWT_EXPIRES_IN => 'soon', ''],
        [JWT_EXPIRES_IN => '', ''],
        [JWT_EXPIRES_IN => '-5', ''],
        [JWT_EXPIRES_IN => '0s', ''],
        [JWT_EXPIRES_IN => '5', ''],
        [JWT_EXPIRES_IN => '1y', ''],
        [JWT_EXPIRES_IN => '99999999999w', ''],
        [ENABLE_SIGNUP => 'maybe', 'bool_parsing'],
        [WEBUI_URL => undef, 'string_type'])
    {
        my ($key, $value, $type) = @$case;
        my $answer = $roster->post('/auths/admin/config', $admin, {%other, $key => $value});
        is_problem $answer, 422, 'VALIDATION_ERROR', "$key: " . ($value // 'null');
        is_deeply $answer->{json}{detail}[0]{loc}, ['body', $key], '... with its place';
        is $answer->{json}{detail}[0]{type}, $type, '... and its type' if $type;
    }
    is_deeply $roster->settings($admin), \%nulls, 'none of them has changed anything';
    my $document = $coder->decode(stored_config());
    is $document->{ui}{default_user_role}, 'user', "it is stored under the original's names";
    $document->{something} = {else => [1, undef, 'x']};
    $roster->sql('UPDATE config SET data = ?', $coder->encode($document));
    $roster->post('/auths/admin/config', $admin, \%other);
    is_deeply $coder->decode(stored_config())->{something}, {else => [1, undef, 'x']}, 'what is not ours stays';
    $roster->sql('INSERT INTO config (data) VALUES (?)', '{"ui": {"default_user_role": 5}, "auth": "x"}');
    is_deeply $roster->settings($admin), \%fresh, 'the newest row counts; what has the wrong type counts as absent';
    $roster->sql('DELETE FROM config');

    # First changes at once, each of something else, so that a lost one shows.
    for my $round (1 .. 8) {
        $roster->sql('DELETE FROM config');
        my @requests = (
            (
                map {
                    Roster::Http::compose(
                        POST => '/auths/admin/config',
                        token => $admin->{token},
                        json => {%fresh, WEBUI_URL => "https://$_.example.org"})
                } 1 .. 3
            ),
            (
                map {
                    Roster::Http::compose(
                        POST => '/auths/admin/config/ldap/server',
                        token => $admin->{token},
                        json => {label => "L$_", host => 'h', app_dn => '', app_dn_password => '', search_base => ''})
                } 1 .. 3
            ));
        my %outcomes = map { (in_short($_) => 1) } $roster->all_at_once(@requests);
        my $rows = $roster->sql('SELECT COUNT(*) FROM config');
        my $label = $roster->get('/auths/admin/config/ldap/server', $admin)->{json}{label};
        my $url = $roster->settings($admin)->{WEBUI_URL};
        ok join(' ', sort keys %outcomes) eq '200' && $rows == 1 && $label =~ /^L\d$/ && $url =~ /^https/,
            "six first changes at once, round $round"
            or diag explain [\%outcomes, $rows, $label, $url];
    }
    $roster->sql('DELETE FROM config');
};

subtest 'LDAP' => sub {
    my $user = $roster->add_user;
    my $path = '/auths/admin/config/ldap';
    for my $case ([GET => $path], [POST => $path], [GET => "$path/server"], [POST => "$path/server"]) {
        is_problem $roster->ask($case->[0] => $case->[1], $user), 401, 'ACCESS_PROHIBITED',
            "$case->[0] $case->[1]: not for users";
    }
    is $roster->get($path, $admin)->{body}, '{"ENABLE_LDAP":false}', 'off';
    is_problem $roster->post($path, $admin, {enable_ldap => $true}), 400, 'LDAP_NOT_SUPPORTED',
        'it can not be switched on';
    is $roster->post($path, $admin, $_)->{body}, '{"ENABLE_LDAP":false}', 'but off, as often as one likes'
        for { enable_ldap => $false }
    , {enable_ldap => undef}, {};
    my %server = (
        label => 'LDAP Server',
        host => 'localhost',
        port => 389,
        attribute_for_mail => 'mail',
        attribute_for_username => 'uid',
        app_dn => '',
        app_dn_password => '',
        search_base => '',
        search_filters => '',
        use_tls => $true,
        certificate_path => '',
        validate_cert => $true,
        ciphers => 'ALL');
    is_deeply $roster->get("$path/server", $admin)->{json}, \%server, 'the 13 settings of a fresh install';
    my %mine = (
        label => 'Mine',
        host => 'ldap.example.org',
        port => 636,
        attribute_for_mail => 'm',
        attribute_for_username => 'u',
        app_dn => 'cn=x',
        app_dn_password => 'very secret indeed',
        search_base => 'dc=x',
        search_filters => '(x=y)',
        use_tls => $false,
        certificate_path => '/x.pem',
        validate_cert => $false,
        ciphers => 'HIGH');
    my %shown = (%mine, app_dn_password => '********');
    is_deeply $roster->post("$path/server", $admin, \%mine)->{json}, \%shown, 'kept as sent, the password masked';
    is_deeply $roster->get("$path/server", $admin)->{json}, \%shown, 'afterwards as well';
    like stored_config(), qr/very secret indeed/, 'it is stored';
    $roster->post("$path/server", $admin, {%shown, label => 'Again'});
    like stored_config(), qr/very secret indeed/, 'and stays when its mask is sent back';
    my %required = map { ($_ => $mine{$_}) } qw(label host app_dn app_dn_password search_base);
    is_deeply $roster->post("$path/server", $admin, \%required)->{json},
        {%server, %required, app_dn_password => '********', port => undef, certificate_path => undef},
        'what is left out is not kept';
    is $roster->post("$path/server", $admin, {%required, ciphers => undef})->{json}{ciphers}, undef, 'null is a value';
    is_problem $roster->post("$path/server", $admin, {label => 'x'}), 422, 'VALIDATION_ERROR',
        'fields that are missing';
    $roster->sql('DELETE FROM config');
};

# ---- Passwords off ----

subtest 'passwords are off' => sub {
    $roster->reconfigure(password_sign_in => 'no', cookie_same_site => 'strict', cookie_secure => 'yes');
    is_problem $roster->sign_in($admin->{email}), 403, 'ACTION_PROHIBITED', 'nobody signs in with one';
    is_problem $roster->sign_in('nobody@example.org', password => 'x'), 403, 'ACTION_PROHIBITED', 'not even nobody';
    is_problem $roster->request(POST => '/auths/signin', json => {}), 422, 'VALIDATION_ERROR', 'after validation';
    like $roster->get('/auths/', $admin)->{set_cookie}[0], qr/; HttpOnly; SameSite=strict; Secure$/,
        'the cookie as configured';
};
$roster->finish;

# ---- The first account ----

$roster = Roster->new(password => {workers => 4, listen_backlog => 512}, config => {rate_limits => 'no'});
subtest 'sign-up is closed though nobody is there' => sub {
    my $sign_up = sub ($email) {
        $roster->request(POST => '/auths/signup', json => {name => 'N', email => $email, password => $password});
    };
    $roster->sql(q{INSERT INTO config (data) VALUES ('{"ui": {"enable_signup": false}}')});
    is $sign_up->('first@example.org')->{json}{role}, 'admin', 'somebody must be the first';
    is_problem $sign_up->('second@example.org'), 403, 'ACCESS_PROHIBITED', 'but the first alone';
    is $roster->sql('SELECT COUNT(*) FROM user'), 1, 'nobody else was added';
    $roster->sql('DELETE FROM user');
    $roster->sql('DELETE FROM config');
};
subtest 'two hundred sign-ups at once on an empty database' => sub {
    # Held back where sign-up is closed, so that all workers are in the middle of it at the same time.
    my $beside = Roster::Database->connect($roster->socket_path('mariadb'));
    $beside->run('START TRANSACTION');
    $beside->run(q{INSERT INTO config (id, data) VALUES (1, '{}')});
    my @sockets = map {
        my $socket = $roster->open_connection;
        syswrite $socket,
            Roster::Http::compose(
            POST => '/auths/signup',
            json => {name => "Person $_", email => "person$_\@example.org", password => "password $_ of some"});
        $socket;
    } 1 .. 200;
    ok $roster->wait_statement('FOR UPDATE$|^INSERT', 3), 'all workers are at it that strangers have';
    $beside->run('ROLLBACK');
    $beside->disconnect;
    my @answers = map { Roster::Http::exchange($_, '') } @sockets;
    my %outcomes;
    $outcomes{in_short($_)}++ for @answers;
    is_deeply \%outcomes, {'200' => 1, '403 ACCESS_PROHIBITED' => 199},
        'one gets in, the others are told that sign-up is off'
        or diag explain \%outcomes;
    is_deeply [$roster->sql('SELECT role, COUNT(*) FROM user GROUP BY role')], [['admin', 1]],
        'one account, an administrator';
    my ($first) = grep { $_->{status} == 200 } @answers;
    is $first->{json}{role}, 'admin', 'who is told so';
    is $roster->get('/users/all', $first->{json}{token})->{json}{total}, 1, 'and may do what administrators do';
    my $settings = $roster->settings($first->{json}{token});
    is $settings->{ENABLE_SIGNUP}, $false, 'sign-up is closed';
    is $roster->post('/auths/admin/config', $first->{json}{token}, {%$settings, ENABLE_SIGNUP => $true})->{status}, 200,
        'they open it again';
    is $roster->request(
        POST => '/auths/signup',
        json => {name => 'Second', email => 'second@example.org', password => $password}
    )->{json}{role}, 'pending', 'the next one is pending';
};

done_testing;
