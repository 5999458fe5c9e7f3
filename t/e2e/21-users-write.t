# /users, what is written: defaults of permissions, settings, status, info, changes and deletions by administrators, and
# all of it at once.
use v5.36;
use utf8;

use Test::More;
use Roster;
use Roster::Pictures;

binmode Test::More->builder->$_, ':encoding(UTF-8)' for qw(output failure_output);

my $roster = Roster->new(
    config => {rate_limits => 'no', last_active_interval => '1d'},
    api => {workers => 3},
    password => {workers => 3});
my $coder = JSON::PP->new->utf8->canonical->allow_nonref;
my ($true, $false) = (JSON::PP::true, JSON::PP::false);
my @user_keys = sort qw(
    id email username role name profile_image_url profile_banner_image_url bio gender date_of_birth timezone
    presence_state status_emoji status_message status_expires_at info settings oauth last_active_at updated_at
    created_at);

sub remove ($path, $who) { return $roster->ask(DELETE => $path, $who) }

# Everything that is stored of a user, but for what every request changes.
sub state_of ($user) {
    my @rows = $roster->rows('SELECT * FROM user WHERE id = ?', $user->{id});
    delete $_->{last_active_at} for @rows;
    return $coder->encode([
        @rows,
        $roster->rows('SELECT * FROM auth WHERE id = ?', $user->{id}),
        $roster->rows('SELECT jti, revoked_at FROM session WHERE user_id = ? ORDER BY jti', $user->{id})
    ]);
}

my $primary = $roster->add_user(role => 'admin', name => 'Primary', created_at => 1000);
my $admin = $roster->add_user(role => 'admin', name => 'Second');
my $user = $roster->add_user(name => 'User');

# ---- Defaults of permissions ----

{
    my $defaults = $roster->get('/users/default/permissions', $admin)->{json};
    $defaults->{workspace}{models} = $true;
    $defaults->{chat}{edit} = $false;
    $defaults->{sharing}{public_notes} = $true;
    is_json $roster->post('/users/default/permissions', $admin, $defaults), $defaults,
        'default permissions are stored and answered';
    is_json $roster->get('/users/default/permissions', $admin), $defaults, 'and shown' for 1 .. 6;
    is_json $roster->get('/users/permissions', $user), $defaults, 'and hold for everybody';

    my $answer = $roster->post('/users/default/permissions', $admin,
        {map { ($_ => {own => $true}) } qw(workspace sharing chat features)});
    my $absent = {
        workspace => {
            map { ($_ => $false) }
                qw(
                models knowledge prompts tools models_import models_export prompts_import prompts_export
                tools_import tools_export
                )
        },
        sharing => {
            public_tools => $true,
            public_notes => $true,
            map { ($_ => $false) }
                qw(models public_models knowledge public_knowledge prompts public_prompts tools notes)
        },
        chat => {
            (
                map { ($_ => $true) }
                    qw(controls valves system_prompt params file_upload delete delete_message continue_response
                    regenerate_response rate_response edit share export stt tts call multiple_models temporary)
            ),
            temporary_enforced => $false
        },
        features => {
            api_keys => $false,
            direct_tool_servers => $false,
            map { ($_ => $true) } qw(notes channels folders web_search image_generation code_interpreter)
        },
    };
    is_json $answer, $absent, 'a missing key takes its default, an unknown one is ignored';
    is_json $roster->get('/users/default/permissions', $admin), $absent, 'and so it is stored';
    is_json $roster->post('/users/default/permissions', $admin,
        {%$absent, other => {x => $true}, chat => {edit => 'off', share => 0, stt => 'NO', tts => 0.0}}),
        {%$absent, chat => {%{$absent->{chat}}, edit => $false, share => $false, stt => $false, tts => $false}},
        'what can be read as a boolean is one';
    for my $section (sort keys %$absent) {
        my %body = %$absent;
        delete $body{$section};
        is_problem $roster->post('/users/default/permissions', $admin, \%body), 422, 'VALIDATION_ERROR',
            "without $section they are refused";
    }
    is_json $roster->post('/users/default/permissions', $admin, $absent), $absent, 'they can be changed back';

    # Whoever answers knows at once.
    my @wrong;
    for my $round (1 .. 12) {
        my $body = $coder->decode($coder->encode($absent));
        $body->{features}{notes} = $round % 2 ? $false : $true;
        $roster->post('/users/default/permissions', $admin, $body);
        push @wrong, $round
            if grep { $coder->encode($_->{json}{features}{notes}) ne $coder->encode($body->{features}{notes}) }
            map { $roster->get('/users/permissions', $user) } 1 .. 4;
    }
    is_deeply \@wrong, [], 'every worker knows of a change at once';
}

# ---- Settings ----

{
    my $path = '/users/user/settings/update';
    my $own = $roster->add_user;
    is_json $roster->post($path, $own, {}), {ui => {}}, 'settings with nothing in them have ui';
    is_json $roster->get('/users/user/status', $own),
        {%{$roster->get('/users/user/status', $own)->{json}}, settings => {ui => {}}},
        'in User too';
    is_json $roster->post($path, $own, {ui => {theme => 'dark', size => 1}, own => {a => [1, undef, 'ü']}}),
        {ui => {theme => 'dark', size => 1}, own => {a => [1, undef, 'ü']}}, 'settings are stored';
    is_json $roster->post($path, $own, {own => {b => 1}}), {ui => {theme => 'dark', size => 1}, own => {b => 1}},
        'a body without ui leaves ui, a key replaces its own';
    is_json $roster->post($path, $own, {ui => undef, more => undef}),
        {ui => {theme => 'dark', size => 1}, own => {b => 1}, more => undef},
        'a ui of null counts as absent, other nulls are stored';
    is_json $roster->post($path, $own, {ui => {size => 2}}), {ui => {size => 2}, own => {b => 1}, more => undef},
        'ui is replaced as a whole';
    is_json $roster->get('/users/user/settings', $own), {ui => {size => 2}, own => {b => 1}, more => undef}, 'and kept';

    my $servers = [{url => 'https://tools.example.org'}];
    is_json $roster->post($path, $own, {ui => {toolServers => $servers, x => 1}, toolServers => $servers}),
        {ui => {x => 1}, own => {b => 1}, more => undef, toolServers => $servers},
        'without the permission ui.toolServers is dropped, and nothing else';
    is_json $roster->post($path, $admin, {ui => {toolServers => $servers, x => 1}}),
        {ui => {toolServers => $servers, x => 1}},
        'administrators have the permission';
    my $group = $roster->post('/groups/create', $admin,
        {name => 'G', description => '', permissions => {features => {direct_tool_servers => $true}}})->{json}{id};
    $roster->post("/groups/id/$group/users/add", $admin, {user_ids => [$own->{id}]});
    is_json $roster->post($path, $own, {ui => {toolServers => $servers}}),
        {ui => {toolServers => $servers}, own => {b => 1}, more => undef, toolServers => $servers}, 'a group gives it';
    is_json $roster->post($path, $own, {own => 1, more => 1}),
        {ui => {toolServers => $servers}, own => 1, more => 1, toolServers => $servers}, 'ui stays, with its servers';
    $roster->post("/groups/id/$group/users/remove", $admin, {user_ids => [$own->{id}]});
    is_json $roster->post($path, $own, {ui => {toolServers => $servers}}),
        {ui => {}, own => 1, more => 1, toolServers => $servers}, 'and who leaves the group has it no more';

    $roster->sql('UPDATE user SET updated_at = 1000 WHERE id = ?', $own->{id});
    $roster->post($path, $own, {own => 1});
    cmp_ok $roster->get('/users/user/status', $own)->{json}{updated_at}, '>', 1000, 'updated_at is set';
    $roster->sql('UPDATE user SET settings = NULL WHERE id = ?', $own->{id});
    at_once(
        map {
            my $part = $_;
            sub {
                map { in_short($roster->post($path, $own, {"key$part$_" => $_})) } 1 .. 4;
            }
        } 1 .. 8);
    is scalar(grep { /^key/ } keys %{$roster->get('/users/user/settings', $own)->{json}}), 32,
        '32 keys that were set at once are all there';
}

# ---- Status ----

{
    my $path = '/users/user/status/update';
    my $own = $roster->add_user(info => {a => 1});
    my $status = sub ($answer) {
        return $answer->{status} == 200
            ? [@{$answer->{json}}{qw(status_emoji status_message status_expires_at)}]
            : "$answer->{status} $answer->{body}";
    };
    $roster->sql('UPDATE user SET updated_at = 1000 WHERE id = ?', $own->{id});
    my $answer = $roster->post($path, $own, {});
    is_deeply [sort keys %{$answer->{json}}], \@user_keys, 'a status update with nothing in it answers User';
    is $answer->{json}{updated_at}, 1000, 'and changes nothing';
    is_deeply $answer->{json}{info}, {a => 1}, 'whole, since it is the own one';
    is_deeply $status->(
        $roster->post(
            $path, $own, {status_emoji => undef, status_message => undef, status_expires_at => undef, other => 1})
        ),
        [undef, undef, undef], 'nulls are nothing, too';
    $answer = $roster->post($path, $own,
        {status_emoji => "\x{1F3D6}\x{FE0F}", status_message => 'Am Meer', status_expires_at => 4102444800});
    is_deeply $status->($answer), ["\x{1F3D6}\x{FE0F}", 'Am Meer', 4102444800], 'all three are stored';
    is_deeply [sort keys %{$answer->{json}}], \@user_keys, 'the answer is User';
    cmp_ok $answer->{json}{updated_at}, '>', 1000, 'updated_at is set';
    is_deeply $status->($roster->post($path, $own, {status_message => 'Im Büro'})),
        ["\x{1F3D6}\x{FE0F}", 'Im Büro', 4102444800], 'what is absent stays';
    is_deeply $status->($roster->post($path, $own, {status_emoji => '', status_message => undef})),
        ['', 'Im Büro', 4102444800],
        'an empty string is stored, null is not';
    is_deeply $status->($roster->post($path, $own, {status_expires_at => $_->[0]})), ['', 'Im Büro', $_->[1]],
        'an expiry of ' . $coder->encode($_->[0])
        for [0, 0], ['5', 5], [5.0, 5], [$true, 1], [$false, 0], [-1, -1], [' 7 ', 7], ['8.00', 8],
        [9223372036854775807, 9223372036854775807];
    is_deeply $status->($roster->post($path, $own, '{"status_expires_at": 5.0, "status_emoji": "\ud83d\ude00"}')),
        ["\x{1F600}", 'Im Büro', 5], '5.0 and a pair of surrogates';
    is length $status->($roster->post($path, $own, {status_message => "\x{1F600}" x 16000}))->[1], 16000,
        'a message of 16,000 characters';
    is length $status->($roster->post($path, $own, {status_emoji => 'ä' x 255}))->[0], 255, 'and an emoji of 255';
    is_problem $roster->post($path, $own, {status_message => 'x' x 16001}), 422, 'VALIDATION_ERROR', 'but not more';
    is_problem $roster->post($path, $own, {status_emoji => 'x' x 256}), 422, 'VALIDATION_ERROR', 'of either';
    is_deeply $status->($roster->get('/users/user/status', $own))->[2], 5, 'a refused update changes nothing';
}

# ---- Info ----

{
    my $path = '/users/user/info/update';
    my $own = $roster->add_user;
    is_json $roster->post($path, $own, {}), {}, 'nothing merged into nothing is an empty object';
    is_json $roster->get('/users/user/info', $own), {}, 'which is stored';
    is_json $roster->post($path, $own, {a => 1, b => {x => 1, y => 2}, 'ключ' => "\x{1F600}"}),
        {a => 1, b => {x => 1, y => 2}, 'ключ' => "\x{1F600}"}, 'info is stored';
    is_json $roster->post($path, $own, {b => {z => 3}, c => undef}),
        {a => 1, b => {z => 3}, c => undef, 'ключ' => "\x{1F600}"},
        'and merged at the top level alone';
    is_json $roster->post($path, $own, '{"a": 1, "a": 2, "": "x", "c": 12345678901234567, "d": 0.1}'),
        {a => 2, b => {z => 3}, c => 12345678901234567, d => 0.1, '' => 'x', 'ключ' => "\x{1F600}"},
        'of a key that comes twice the last one counts';
    like $roster->post($path, $own, '{"d": 1.10, "e": -1e-7}')->{body}, qr/"d":1\.10,.*"e":-1e-7/,
        'numbers keep their form';
    my $deep = '{"deep":' . '[' x 63 . ']' x 63 . '}';
    is $roster->post($path, $own, $deep)->{status}, 200, '64 levels';
    like $roster->get('/users/user/info', $own)->{body}, qr/\Q@{[ '[' x 63 . ']' x 63 ]}\E/, 'are kept';
    $roster->sql('UPDATE user SET info = NULL WHERE id = ?', $own->{id});
    my $large = {large => 'ü' x 131_000};
    is $roster->post($path, $own, $large)->{status}, 200, '256 KB';
    is length $roster->get('/users/user/info', $own)->{json}{large}, 131_000, 'are kept';
    $roster->sql('UPDATE user SET info = NULL, updated_at = 1000 WHERE id = ?', $own->{id});
    my @answers = map { @$_ } at_once(
        map {
            my $part = $_;
            sub {
                map { in_short($roster->post($path, $own, {"key$part.$_" => {part => $part}})) } 1 .. 5;
            }
        } 1 .. 16);
    is_deeply [grep { $_ ne '200' } @answers], [], '80 updates at once are all well';
    is scalar(@answers), 80, 'all 80';
    is_deeply $roster->get('/users/user/info', $own)->{json}, {
        map {
            my $part = $_;
            map { ("key$part.$_" => {part => $part}) } 1 .. 5
        } 1 .. 16
        },
        'and keep all 80 keys';
    cmp_ok $roster->get('/users/user/status', $own)->{json}{updated_at}, '>', 1000, 'updated_at is set';
}

# ---- Changes by an administrator ----

my %body = (role => 'user', name => 'New Name', email => 'new.name@example.org', profile_image_url => '/user.png');
{
    my $own = $roster->add_user(info => {a => 1}, bio => 'Bio', username => 'own', status_emoji => 'x');
    my $path = "/users/$own->{id}/update";
    my $before = $roster->get("/users/$own->{id}", $admin)->{json};
    $roster->sql('UPDATE user SET updated_at = 1000 WHERE id = ?', $own->{id});
    my $answer = $roster->post($path, $admin, {%body, email => ' New.NAME@Example.ORG ', extra => 1});
    is_deeply [sort keys %{$answer->{json}}], \@user_keys, 'a change answers User' or diag $answer->{body};
    cmp_ok $answer->{json}{updated_at}, '>', 1000, 'updated_at is set';
    is_json $answer,
        {
        map({ ($_ => $before->{$_}) } @user_keys),
        name => 'New Name',
        email => 'new.name@example.org',
        updated_at => $answer->{json}{updated_at}
        },
        'the name is new, the email address too, in lower case; the rest stays';
    is $roster->sql('SELECT email FROM auth WHERE id = ?', $own->{id}), 'new.name@example.org', 'credentials follow';
    is $roster->get('/users/user/status', $own)->{status}, 200, 'the session goes on';
    is_problem $roster->sign_in($own->{email}, password => $own->{password}), 400, 'INVALID_CRED',
        'the old address is none any more';
    is $roster->sign_in('NEW.name@example.org', password => $own->{password})->{status}, 200,
        'the new one is one, with the old password';

    for my $password (undef, '') {
        is $roster->post($path, $admin, {%body, password => $password})->{status}, 200,
            'a password that is ' . (defined $password ? 'empty' : 'null') . ' stays';
        is $roster->sign_in($body{email}, password => $own->{password})->{status}, 200, 'the same';
        is $roster->get('/users/user/status', $own)->{status}, 200, 'as does the session';
    }

    # The whole row of the list, as the original's own pages send it back.
    my ($row) = grep { $_->{id} eq $own->{id} } @{$roster->get('/users/?query=new.name', $admin)->{json}{users}};
    $roster->sql('UPDATE user SET updated_at = 1000 WHERE id = ?', $own->{id});
    $answer = $roster->post($path, $admin, {%$row, password => '', name => 'Newer Name'});
    delete $row->{group_ids};
    is_json $answer, {%$row, name => 'Newer Name', updated_at => $answer->{json}{updated_at}},
        'the whole row can be sent back';
    cmp_ok $answer->{json}{updated_at}, '>', 1000, 'updated_at is set';
    is $roster->post($path, $admin, {%$row, password => '', name => 'Newer Name'})->{status}, 200,
        'twice in the same second, too';
    is $roster->get('/users/user/status', $own)->{status}, 200, 'the session goes on';

    for my $email ('x@localhost', "o'neil+tag\@sub.example.org", 'ü@exämple.org', 'a@b.c') {
        is $roster->post($path, $admin, {%body, email => $email})->{json}{email}, $email, "$email is an email address";
    }
    is $roster->post($path, $admin, {%body, name => $_})->{json}{name}, $_, "'$_' is a name"
        for '', 'x' x 255, "\x{1F600}" x 255, ' a ', "<b>\"'\\";
    for my $url ('', '/user.png', 'x.png', 'images/x.png?y=a:b', '/static/x.png?y=1', 'http://example.org/x.png',
        'HTTPS://example.org/ü.png', data_uri(png(width => 10, height => 10)))
    {
        my $stored = $roster->post($path, $admin, {%body, profile_image_url => $url})->{json}{profile_image_url};
        like $stored // 'nothing', $url =~ /^data:/ ? qr{^/pictures/[0-9a-f]{64}\.png$} : qr/^\Q$url\E$/,
            substr($url, 0, 30) . ' is a picture';
        is $roster->post($path, $admin, {%body, profile_image_url => $stored})->{json}{profile_image_url}, $stored,
            'its address can be sent back';
    }
    # Addresses that were moved over stay as long as nobody changes them.
    $roster->sql('UPDATE user SET email = ?, profile_image_url = ? WHERE id = ?',
        'No Address', 'odd picture', $own->{id});
    is_deeply [
        @{$roster->post($path, $admin, {%body, email => 'no address', profile_image_url => 'odd picture'})->{json}}
            {qw(email profile_image_url)}
        ], ['no address', 'odd picture'],
        'what was moved over can be sent back';
    for my $role (qw(pending admin user)) {
        is $roster->post($path, $admin, {%body, role => $role})->{json}{role}, $role, "a user can be made $role";
    }
}

{
    my $own = $roster->add_user(name => 'Untouched', email => 'untouched@example.org');
    my $taken = $roster->add_user(email => 'taken@example.org');
    my $wide = $roster->add_user(email => 'wide@example.org');
    my $path = "/users/$own->{id}/update";
    my $before = state_of($own);
    my @refused = (
        [EMAIL_TAKEN => {email => 'taken@example.org'}],
        [EMAIL_TAKEN => {email => 'Taken@EXAMPLE.org'}],
        [EMAIL_TAKEN => {email => ' taken@example.org '}],
        [EMAIL_TAKEN => {email => "\x{FF57}ide\@example.org"}],
        (
            map { [INVALID_EMAIL_FORMAT => {email => $_}] } '',
            'x', '@', 'x@', '@y.z', 'x@y', 'x@@y.z', 'x@y@z.w', 'a b@y.z', "x\ty\@y.z", 'x@.y', 'x@y.',
            'x' x 250 . '@y.zz',
            "x\@y.z\n a"
        ),
        [PASSWORD_TOO_LONG => {password => 'a1B2' x 64 . 'x'}],
        [INVALID_PASSWORD => {password => 'Sh0rt!7'}],
        [INVALID_PASSWORD => {password => 'ü' x 3}],
        [INVALID_PASSWORD => {password => 'password1'}],
        [INVALID_PASSWORD => {password => 'untouched@example.org', email => 'untouched@example.org'}],
        (
            map { [INVALID_IMAGE => {profile_image_url => $_}] } 'javascript:alert(1)', 'ftp://example.org/x.png',
            'x y.png', '//example.org/x.png',
            '/\\example.org', ' /user.png',
            'http://', "http://example.org/\r\nX: y",
            'data:', 'data:image/png;base64,',
            'data:image/png;base64,!!!!', 'data:text/html;base64,PGI+',
            'data:image/svg+xml;base64,PHN2Zy8+', 'data:image/png,x',
            'data:image/png;base64,AAAA', 'file:///etc/passwd',
            'https:/x', 'blob:x'
        ));
    for my $case (@refused) {
        my ($code, $changes) = @$case;
        my ($field) = sort keys %$changes;
        is_problem $roster->post(
            $path, $admin,
            {
                %body,
                name => 'Changed',
                role => 'admin',
                email => 'untouched2@example.org',
                password => 'a fine new password',
                %$changes
            }
            ),
            400, $code,
            "$code: $field " . $coder->encode(substr $changes->{$field}, 0, 40);
        is state_of($own), $before, 'nothing has changed';
    }
    # An unknown user comes before anything else about the body.
    is_problem $roster->post('/users/nobody/update', $admin, {%body, %$_}), 400, 'USER_NOT_FOUND',
        'an unknown user with ' . $coder->encode($_)
        for { }
    , {email => 'x'}, {email => 'taken@example.org'}, {password => 'x'}, {profile_image_url => 'x'};
    is_problem $roster->post('/users/nobody/update', $admin, {role => 'x'}), 422, 'VALIDATION_ERROR',
        'but validation comes first';

    # A failure halfway: nothing of it stays.
    $roster->sql(
        "CREATE TRIGGER refuse BEFORE UPDATE ON auth FOR EACH ROW SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = 'no'");
    is_problem $roster->post($path, $admin,
        {%body, profile_image_url => data_uri(png(width => 7, height => 7)), email => 'untouched3@example.org'}),
        500, 'INTERNAL_ERROR',
        'a failure halfway';
    is state_of($own), $before, 'changes nothing';
    is $roster->sql('SELECT COUNT(*) FROM picture WHERE width = 7'), 0, 'and leaves no picture';
    $roster->sql('DROP TRIGGER refuse');
    $roster->sql(
        "CREATE TRIGGER refuse BEFORE UPDATE ON session FOR EACH ROW SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = 'no'");
    my $session = $roster->sign_in('untouched@example.org', password => $own->{password})->{json}{token};
    $before = state_of($own);    # with the session, and the password hashed anew
    is_problem $roster->post($path, $admin,
        {%body, email => 'untouched4@example.org', password => 'a fine new password'}), 500,
        'INTERNAL_ERROR', 'one at the very end';
    is state_of($own), $before, 'changes nothing';
    $roster->sql('DROP TRIGGER refuse');
    is $roster->get('/users/user/status', {token => $session})->{status}, 200, 'and no session ends';
}

# ---- The end of sessions ----

{
    my $own = $roster->add_user(email => 'sessions@example.org', name => 'Sessions');
    my $path = "/users/$own->{id}/update";
    my %same = (role => 'user', name => 'Sessions', email => 'sessions@example.org', profile_image_url => '/user.png');
    my $password = $own->{password};
    my %changes = (
        password => {%same, password => 'a fine new password'},
        role => {%same, role => 'admin'},
        back => {%same, role => 'user'});
    for my $change (qw(password role back)) {
        my $session = $roster->sign_in($same{email}, password => $password)->{json};
        my %tokens = (
            'one from sign-in' => $session->{token},
            'one from elsewhere' => $roster->token_for($own->{id}),
            'one without iat' => $roster->token_for($own->{id}, iat => undef),
            'one without jti' => $roster->token_for($own->{id}, jti => undef));
        if ($change eq 'password') {
            is $roster->get('/users/user/status', {token => $tokens{$_}})->{status}, 200, "$_ is good before"
                for sort keys %tokens;
        }
        is $roster->post($path, $admin, $changes{$change})->{status}, 200, "change: $change";
        $password = 'a fine new password';
        for my $name (sort keys %tokens) {
            my $answer = $roster->request(GET => '/users/user/status', cookie => $tokens{$name});
            is_problem $answer, 401, 'INVALID_TOKEN', "$name is over";
            is_deeply [map { /^(\w+)=;/ } @{$answer->{set_cookie}}], ['token'], 'and the cookie goes';
        }
        my $jti = Roster::claims_of($session->{token})->{jti};
        is $roster->redis('EXISTS', "open-webui:auth:token:$jti:revoked"), 1, 'Redis knows';
        my $again = $roster->sign_in($same{email}, password => $password);
        is $again->{status}, 200, 'signing in again works';
        is $roster->get('/users/user/status', {token => $again->{json}{token}})->{status}, 200, 'in the same second';
        is $roster->post($path, $admin, {%{$changes{$change}}, password => ''})->{status}, 200, 'the same role again';
        is $roster->get('/users/user/status', {token => $again->{json}{token}})->{status}, 200, 'ends no session';
        is $roster->post(
            $path, $admin,
            {
                %{$changes{$change}},
                password => '',
                name => 'Other',
                profile_image_url => 'https://example.org/x',
                email => 'sessions@example.org'
            }
            )->{status}, 200,
            'nor does another name';
        is $roster->get('/users/user/status', {token => $again->{json}{token}})->{status}, 200, 'or picture';
    }
    is_problem $roster->sign_in($same{email}, password => $own->{password}), 400, 'INVALID_CRED',
        'the old password is none any more';
    is $roster->sql('SELECT password FROM auth WHERE id = ?', $own->{id}) =~ /^\$s1\$/ ? 1 : 0, 1,
        'the new one is hashed with scrypt';

    # One's own password.
    my $other = {token => $roster->token_for($admin->{id})};
    my $signed_in = $roster->sign_in($admin->{email}, password => $admin->{password})->{json};
    is $roster->post(
        "/users/$admin->{id}/update",
        $admin,
        {
            role => 'admin',
            name => 'Second',
            email => $admin->{email},
            profile_image_url => '/user.png',
            password => 'my own new password'
        }
        )->{status},
        200, 'an administrator changes their own password';
    is $roster->get('/users/user/status', $admin)->{status}, 200, 'the session that did it goes on';
    is_problem $roster->get('/users/user/status', $_), 401, 'INVALID_TOKEN', 'another is over' for $other, $signed_in;
    is $roster->sign_in($admin->{email}, password => 'my own new password')->{status}, 200, 'the new password is good';
}

# ---- The primary administrator ----

{
    my %same = (role => 'admin', name => 'Primary', email => $primary->{email}, profile_image_url => '/user.png');
    my $before = state_of($primary);
    is_problem $roster->post("/users/$primary->{id}/update", $admin, \%same), 403, 'ACTION_PROHIBITED',
        'another administrator does not change the primary one';
    is_problem $roster->post("/users/$primary->{id}/update", $admin, {%same, email => 'x'}), 403, 'ACTION_PROHIBITED',
        'whatever the change';
    is_problem $roster->post("/users/$primary->{id}/update", $primary, {%same, role => $_, name => 'X'}), 403,
        'ACTION_PROHIBITED', "who does not become $_ either"
        for qw(user pending);
    is_problem remove("/users/$primary->{id}", $admin), 403, 'ACTION_PROHIBITED', 'nor goes';
    is_problem remove("/users/$primary->{id}", $primary), 403, 'ACTION_PROHIBITED', 'by themselves';
    is state_of($primary), $before, 'nothing has changed';
    is $roster->post("/users/$primary->{id}/update", $primary, {%same, name => 'First'})->{json}{name}, 'First',
        'they change themselves';
    is_problem remove("/users/$admin->{id}", $admin), 403, 'ACTION_PROHIBITED', 'nobody deletes themselves';
    my $third = $roster->add_user(role => 'admin');
    is $roster->post("/users/$third->{id}/update", $admin, {%same, email => $third->{email}, role => 'user'})
        ->{json}{role},
        'user', 'other administrators can be made users';
    is_problem $roster->get('/users/', {token => $roster->token_for($third->{id})}), 401, 'INVALID_TOKEN',
        'whose sessions are over';
}

# ---- Deletions ----

# Where a text stands, in whatever column of whatever table: "table.column: rows".
# The audit is left aside: that somebody was deleted, and who, is what it is there for (t/e2e/66-audit.t).
sub places ($text) {
    my @places;
    for my $row ($roster->sql(
              q{SELECT table_name, column_name FROM information_schema.columns c }
            . q{JOIN information_schema.tables t USING (table_schema, table_name) }
            . q{WHERE table_schema = DATABASE() AND table_type = 'BASE TABLE' AND data_type REGEXP 'char|text' }
            . q{AND table_name <> 'audit' }
            . q{ORDER BY 1, 2}))
    {
        my ($table, $column) = @$row;
        my $count = $roster->sql("SELECT COUNT(*) FROM `$table` WHERE `$column` LIKE ?", "%$text%");
        push @places, "$table.$column: $count" if $count;
    }
    return join ', ', @places;
}

{
    my $gone = $roster->add_user(email => 'gone@example.org', name => 'Gone');
    my $stays = $roster->add_user(email => 'stays@example.org', name => 'Stays');
    my $group = $roster->post('/groups/create', $admin, {name => 'Of both', description => ''})->{json}{id};
    $roster->post("/groups/id/$group/users/add", $admin, {user_ids => [$gone->{id}, $stays->{id}]});
    my (%key, %address);
    $roster->sql('INSERT INTO config (data) VALUES (?)',
        '{"auth": {"enable_api_keys": true}, "user": {"permissions": {"features": {"api_keys": true}}}}');
    for my $person ($gone, $stays) {
        my $id = $person->{id};
        for my $chat (['a', $id, 'copy'], ['b', $id, undef], ['copy', "shared-$person->{name}a", undef]) {
            $roster->sql(
                'INSERT INTO chat (id, user_id, title, share_id, created_at, updated_at) VALUES (?, ?, ?, ?, 1, 1)',
                "$person->{name}$chat->[0]", $chat->[1], "of $id", $chat->[2] && "$person->{name}$chat->[2]");
        }
        $roster->sql(
            'INSERT INTO oauth_session (id, user_id, provider, token, expires_at, created_at, updated_at) '
                . 'VALUES (?, ?, ?, ?, 1, 1, 1)',
            "o$id", $id, 'google', 't');
        $key{$id} = $roster->post('/auths/api_key', $person, undef)->{json}{api_key};
        is $roster->get('/users/user/status', {token => $key{$id}})->{status}, 200, 'an API key works';
        $person->{session} = $roster->sign_in($person->{email}, password => $person->{password})->{json}{token};
        $address{$_} = $roster->post(
            "/users/$id/update",
            $admin,
            {
                role => 'user',
                name => $person->{name},
                email => $person->{email},
                profile_image_url => data_uri(png(width => 20, height => 20, more => $_))
            }
        )->{json}{profile_image_url}
            for $id, 'of both';
        $address{$id} = $roster->post(
            "/users/$id/update",
            $admin,
            {
                role => 'user',
                name => $person->{name},
                email => $person->{email},
                profile_image_url => data_uri(png(width => 20, height => 20, more => $id))
            }
        )->{json}{profile_image_url}
            if $person == $gone;
    }
    my @everywhere = (
        'api_key.user_id: 1',
        'auth.id: 1',
        'chat.user_id: 2',
        'group_member.user_id: 1',
        'oauth_session.user_id: 1',
        'session.user_id: 1',
        'user.id: 1');
    my $everywhere = join '.*', map { quotemeta } @everywhere;
    like places($gone->{id}), qr/$everywhere/, 'somebody has rows everywhere';
    my ($hash) = $address{$gone->{id}} =~ m{^/pictures/(\w+)};
    is places($hash), 'picture.hash: 1, user.profile_image_url: 1', 'and a picture';
    my $before = places($stays->{id});

    $roster->sql(
        "CREATE TRIGGER refuse BEFORE DELETE ON user FOR EACH ROW SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = 'no'");
    my $state = state_of($gone);
    is_problem remove("/users/$gone->{id}", $admin), 500, 'DELETE_USER_ERROR', 'a deletion that fails';
    $roster->sql('DROP TRIGGER refuse');
    is state_of($gone), $state, 'changes nothing';
    is $roster->sql('SELECT COUNT(*) FROM chat WHERE id LIKE ?', 'Gone%'), 3, 'not even chats';
    is $roster->get('/users/user/status', $gone)->{status}, 200, 'and the session goes on';

    my $other_group = $roster->post('/groups/create', $admin, {name => 'Of one', description => ''})->{json}{id};
    $roster->post("/groups/id/$other_group/users/add", $admin, {user_ids => [$stays->{id}]});
    $roster->sql('UPDATE `group` SET updated_at = 1000');
    $before = places($stays->{id});
    is_json remove("/users/$gone->{id}", $admin), $true, 'a deletion is true';
    is $roster->sql('SELECT updated_at FROM `group` WHERE id = ?', $other_group), 1000,
        'a group without them has not changed';
    cmp_ok $roster->sql('SELECT updated_at FROM `group` WHERE id = ?', $group), '>', 1000, 'one that has lost them has';
    is places($gone->{id}), 'deleted_user.id: 1', 'nothing of the user stays in any table but the id, for a day';
    is places('Gone'), '', 'not even the copies of shared chats';
    is places($hash), '', 'nor the picture that nobody else has';
    is places($stays->{id}), $before, 'what others have stays';
    is $roster->get($address{'of both'}, $stays)->{status}, 200, 'as does the picture of somebody else';
    is_problem $roster->get('/users/user/status', {token => $_}), 401, 'INVALID_TOKEN', 'the session is over'
        for $gone->{token}, $gone->{session};
    is_problem $roster->get('/users/user/status', {token => $key{$gone->{id}}}), 401, 'INVALID_TOKEN',
        'the API key too';
    is_problem $roster->sign_in($gone->{email}, password => $gone->{password}), 400, 'INVALID_CRED', 'nobody signs in';
    is $roster->get('/users/user/status', {token => $key{$stays->{id}}})->{status}, 200, "somebody else's key works on";
    is_problem remove("/users/$gone->{id}", $admin), 400, 'USER_NOT_FOUND', 'twice is once too often';
    is_problem $roster->get("/users/$gone->{id}", $admin), 400, 'USER_NOT_FOUND', 'there is no such user';
    is_problem $roster->post("/users/$gone->{id}/update", $admin, \%body), 400, 'USER_NOT_FOUND', 'for a change either';
    is_problem remove('/users/nobody', $admin), 400, 'USER_NOT_FOUND', 'nor nobody';
    is $roster->get("/groups/id/$group", $admin)->{json}{member_count}, 1, 'the group has a member less';
    is $roster->post('/auths/add', $admin,
        {name => 'Gone', email => $gone->{email}, password => 'another fine password'})->{status}, 200,
        'the email address is free again';

    my $maker = $roster->add_user(role => 'admin');
    my $made = $roster->post('/groups/create', $maker, {name => 'Made', description => ''})->{json}{id};
    is_json remove("/users/$maker->{id}", $admin), $true, 'another administrator can be deleted';
    is $roster->get("/groups/id/$made", $admin)->{status}, 200, 'and the group that they made stays';
}

# ---- Two at once ----

{
    my @two = map { $roster->add_user } 1, 2;
    my (@odd, @both);
    for my $round (1 .. 20) {
        my $email = "both$round\@example.org";
        my @answers = map { $_->[0] } at_once(
            map {
                my ($who, $target) = ($_ ? $admin : $primary, $two[$_]);
                sub {
                    in_short($roster->post(
                        "/users/$target->{id}/update", $who,
                        {role => 'user', name => 'Both', email => $email, profile_image_url => '/user.png'}));
                }
            } 0,
            1);
        push @odd, "round $round: @answers" if join(' ', sort @answers) ne '200 400 EMAIL_TAKEN';
        push @both,
            $round
            if $roster->sql('SELECT COUNT(*) FROM user u JOIN auth a ON a.id = u.id WHERE u.email = ? AND a.email = ?',
            $email, $email) != 1;
    }
    is_deeply \@odd, [], 'one email address given to two users at once is EMAIL_TAKEN once, and never 500';
    is_deeply \@both, [], 'and one of them has it';

    # Two exchange their addresses: whatever comes of it, nobody sees an error of ours.
    my @emails = map { $roster->get("/users/$_->{id}", $admin)->{json}{email} } @two;
    @odd = ();
    for my $round (1 .. 5) {
        my @answers = map { $_->[0] } at_once(
            map {
                my $index = $_;
                sub {
                    in_short($roster->post(
                        "/users/$two[$index]{id}/update",
                        $admin,
                        {
                            role => 'user',
                            name => 'Both',
                            email => $emails[1 - $index],
                            profile_image_url => '/user.png'
                        }));
                }
            } 0,
            1);
        push @odd, "@answers" if grep { !/^(?:200|400 EMAIL_TAKEN)$/ } @answers;
    }
    is_deeply \@odd, [], 'an exchange at once is refused';

    @odd = ();
    for my $round (1 .. 8) {
        my $target = $roster->add_user;
        my @answers = map { $_->[0] } at_once(
            sub { in_short(remove("/users/$target->{id}", $admin)) },
            sub { in_short(remove("/users/$target->{id}", $primary)) },
            sub {
                in_short($roster->post(
                    "/users/$target->{id}/update",
                    $admin,
                    {
                        role => 'admin',
                        name => 'X',
                        email => $target->{email},
                        profile_image_url => data_uri(png(width => 30, height => 30))
                    }));
            },
            sub { in_short($roster->post('/users/user/info/update', $target, {a => 1})) });
        push @odd, "round $round: @answers"
            if join(' ', sort @answers[0, 1]) ne '200 400 USER_NOT_FOUND'
            || $answers[2] !~ /^(?:200|400 USER_NOT_FOUND)$/
            || $answers[3] !~ /^(?:200|40[01] (?:INVALID_TOKEN|USER_NOT_FOUND))$/;
    }
    is_deeply \@odd, [], 'a user who is deleted by two, changed and active at once is deleted by one';
    is $roster->sql('SELECT COUNT(*) FROM picture WHERE width = 30'), 0, 'and leaves no picture';

    # Two take the same new picture, others leave it.
    @odd = ();
    my @four = map { $roster->add_user } 1 .. 4;
    for my $round (1 .. 6) {
        my @answers = map { $_->[0] } at_once(
            map {
                my $target = $_;
                sub {
                    in_short($roster->post(
                        "/users/$target->{id}/update",
                        $admin,
                        {
                            role => 'user',
                            name => 'X',
                            email => $target->{email},
                            profile_image_url => data_uri(png(width => 40, height => 40, more => $round))
                        }));
                }
            } @four);
        push @odd, "round $round: @answers" if grep { $_ ne '200' } @answers;
    }
    is_deeply \@odd, [], 'four who take the same picture at once have it';
    is $roster->sql('SELECT COUNT(*) FROM picture WHERE width = 40'), 1, 'and it is kept once; those before are gone';
}

done_testing;
