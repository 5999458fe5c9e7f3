# Stored JSON: it is read whole, whatever its form and depth, or a change is refused; nowhere is what can't be read the
# same as what is not there. Also without memory.
use v5.36;
use utf8;

use Test::More;
use Roster;

binmode Test::More->builder->$_, ':encoding(UTF-8)' for qw(output failure_output);

my $roster = Roster->new(config => {rate_limits => 'no', last_active_interval => '1d', restart_limit => 0});
my $coder = JSON::PP->new->utf8->canonical->allow_nonref;
my $admin = $roster->add_user(role => 'admin', last_active_at => time, created_at => 1);

sub stored ($column, $user) { return $roster->sql("SELECT $column FROM user WHERE id = ?", $user->{id}) }

sub logged ($pattern) { return $roster->wait_log($pattern) }

# MariaDB's own check lets through what has over 31 brackets: rows may hold anything then.
sub deep ($levels, $inside = '1') { return '{"a":' x $levels . $inside . '}' x $levels }
my $broken = '{"kept":"yes",' . '[' x 40 . '}';

my %path = (info => '/users/user/info', settings => '/users/user/settings');
for my $column (qw(info settings)) {
    my $user = $roster->add_user(last_active_at => time);
    my $ui = $column eq 'settings' ? ',"ui":{}' : '';

    subtest "$column: numbers and members stay as they are written" => sub {
        $roster->set_columns($user,
            $column =>
                '{"n": 123456789012345678901234567890,"f":1.50, "big":1e999,"s":"\u00fc\/", "twice":1,"twice":2}');
        is $roster->post("$path{$column}/update", $user, ' {"new": [ 1E400 , -0, "a b" ] }')->{status}, 200,
            'an update';
        is stored($column, $user),
            q({"n":123456789012345678901234567890,"f":1.50,"big":1e999,"s":"\u00fc\/","twice":2,"new":[1E400,-0,"a b"])
            . "$ui}",
            'leaves every other one byte for byte';
        is $roster->get($path{$column}, $user)->{body}, stored($column, $user), 'and is shown as it is stored';
    };

    subtest "$column: JSON as text in JSON" => sub {
        $roster->set_columns($user, $column => $coder->encode('{"old": 1.50}'));
        like $roster->get($path{$column}, $user)->{body}, qr/^\{"old": ?1\.50/, 'is shown as what it holds';
        like $roster->get("/users/$user->{id}", $admin)->{body}, qr/"$column":\{"old": 1\.50\}/, 'in User too';
        like $roster->get('/users/?query=' . $user->{email}, $admin)->{body}, qr/"$column":\{"old": 1\.50\}/,
            'and in the list';
        is $roster->post("$path{$column}/update", $user, '{"new":1}')->{status}, 200, 'an update';
        is stored($column, $user), qq({"old":1.50,"new":1$ui}), 'brings it to its form, and loses nothing';
    };

    subtest "$column: deeper than the parser goes" => sub {
        $roster->set_columns($user, $column => deep(300));
        is $roster->get("/users/$user->{id}", $admin)->{json}{$column}{a}{a}{a} ? 1 : 0, 1, '300 levels are shown';
        is $roster->post("$path{$column}/update", $user, '{"new":1}')->{status}, 200, 'an update';
        ok stored($column, $user) eq substr(deep(300), 0, -1) . qq(,"new":1$ui}), 'keeps them';
        $roster->set_columns($user, $column => deep(30_000));
        is $roster->post("$path{$column}/update", $user, '{"new":1}')->{status}, 200, 'thirty thousand levels too';
        ok stored($column, $user) eq substr(deep(30_000), 0, -1) . qq(,"new":1$ui}), 'and they are kept';
    };

    subtest "$column: what is no JSON" => sub {
        $roster->set_columns($user, $column => $broken);
        is_problem $roster->post("$path{$column}/update", $user, '{"new":1}'), 500, 'INTERNAL_ERROR',
            'a change is refused';
        is stored($column, $user), $broken, 'and nothing is written';
        ok logged(qr/\[error\].*column $column of the user $user->{id} is not a valid JSON object/),
            'the log says whose it is';
        is $roster->get($path{$column}, $user)->{body}, 'null', 'it is shown as null';
        is $roster->get("/users/$user->{id}", $admin)->{status}, 200, 'the user is shown';
        ok exists $roster->get("/users/$user->{id}", $admin)->{json}{$column}, 'with the key';
        my $list = $roster->get('/users/?query=' . $user->{email}, $admin);
        is_deeply [$list->{status}, map { $_->{$column} } @{$list->{json}{users}}], [200, undef],
            'and the list is a list';
        ok logged(qr/\[error\].*user\.$column of $user->{id} is invalid JSON/), 'the log says so';
        unlike $roster->log_text, qr/kept/, 'and shows no content';
        for my $other ('[1,2]', '5', '"text"', 'true') {
            $roster->set_columns($user, $column => $other);
            is_problem $roster->post("$path{$column}/update", $user, '{"new":1}'), 500, 'INTERNAL_ERROR',
                "no object: $other";
            is stored($column, $user), $other, 'stays';
        }
        for my $nothing (undef, 'null', '"null"', '{}') {
            $roster->set_columns($user, $column => $nothing);
            is $roster->post("$path{$column}/update", $user, '{"new":1}')->{status}, 200,
                'nothing: ' . ($nothing // 'NULL');
            is stored($column, $user), qq({"new":1$ui}), 'is a fresh start';
        }
    };

    subtest "$column: at most document_size_limit" => sub {
        $roster->set_columns($user, $column => undef);
        my $room = 256 * 1024 - length qq({"x":""$ui});
        is $roster->post("$path{$column}/update", $user, '{"x":"' . 'x' x $room . '"}')->{status}, 200,
            '256 KiB are taken';
        is length stored($column, $user), 256 * 1024, 'exactly';
        is_problem $roster->post("$path{$column}/update", $user, '{"y":1}'), 413, 'CONTENT_TOO_LARGE',
            'what is stored counts';
        is_problem $roster->post("$path{$column}/update", $user, '{"x":"' . 'x' x ($room + 1) . '"}'), 413,
            'CONTENT_TOO_LARGE',
            'a byte more is refused';
        is length stored($column, $user), 256 * 1024, 'and changes nothing';
        is $roster->post("$path{$column}/update", $user, '{"x":1}')->{status}, 200, 'it can become smaller';
        $roster->set_columns($user, $column => '{"x":"' . 'x' x 1_000_000 . '","y":"' . 'y' x 1_000_000 . '"}');
        is $roster->post("$path{$column}/update", $user, '{"x":1}')->{status}, 200,
            'also where it was far larger before';
        is_problem $roster->post("$path{$column}/update", $user, '{"z":1}'), 413, 'CONTENT_TOO_LARGE',
            'but not larger again';
    };
}

subtest 'other documents' => sub {
    my $group =
        $roster->post('/groups/create', $admin, '{"name":"G","description":"","permissions":{"chat":{"edit":false}}}')
        ->{json}{id};
    my $member = $roster->add_user(last_active_at => time);
    $roster->post("/groups/id/$group/users/add", $admin, $coder->encode({user_ids => [$member->{id}]}));
    for my $column (qw(data meta permissions)) {
        $roster->sql("UPDATE `group` SET $column = ? WHERE id = ?",
            $coder->encode('{"features": {"api_keys": true}}'), $group);
        is_deeply $roster->get("/groups/id/$group", $admin)->{json}{$column},
            {features => {api_keys => JSON::PP::true}},
            "text in JSON in group.$column is shown as what it holds";
    }
    ok $roster->get('/users/permissions', $member)->{json}{features}{api_keys}, 'and permissions count';
    for my $column (qw(data meta permissions)) {
        $roster->sql("UPDATE `group` SET $column = ? WHERE id = ?", $broken, $group);
        is $roster->get('/groups/', $admin)->{status}, 200, "with a broken group.$column groups are listed";
        is $roster->get("/groups/id/$group", $admin)->{json}{$column}, undef, 'it is null';
    }
    my $permissions = $roster->get('/users/permissions', $member);
    is $permissions->{status}, 200, 'broken permissions of a group keep nobody out';
    ok !$permissions->{json}{features}{api_keys}, 'and grant nothing';
    ok logged(qr/group\.permissions of $group is invalid JSON and grants nothing/), 'the log says which group';
    my ($status, $output) = $roster->rosterctl('permissions', 'group', $group, 'chat.edit=yes');
    isnt $status, 0, 'rosterctl refuses to change them';
    like $output, qr/not a valid JSON object/, 'and says why';
    is $roster->sql('SELECT permissions FROM `group` WHERE id = ?', $group), $broken, 'nothing is written';
    $roster->sql('UPDATE `group` SET permissions = ? WHERE id = ?',
        '{"chat": {"edit": false}, "own": 123456789012345678901234567890}', $group);
    ($status, $output) = $roster->rosterctl('permissions', 'group', $group, 'chat.edit=yes');
    is $status, 0, 'good ones it changes' or diag $output;
    is $roster->sql('SELECT permissions FROM `group` WHERE id = ?', $group),
        '{"chat":{"edit":true},"own":123456789012345678901234567890}', 'and no other';
    my $large = $coder->encode({name => 'G', description => '', data => {x => 'x' x (256 * 1024)}});
    is_problem $roster->post('/groups/create', $admin, $large), 413, 'CONTENT_TOO_LARGE', "a group's data have a limit";
    is_problem $roster->post("/groups/id/$group/update", $admin, $large), 413, 'CONTENT_TOO_LARGE', 'in an update too';
    my %chat = map { ("own$_" => JSON::PP::true) } 1 .. 20_000;
    is_problem $roster->post("/groups/id/$group/update", $admin,
        $coder->encode({name => 'G', description => '', permissions => {chat => \%chat}})),
        413, 'CONTENT_TOO_LARGE', 'and its permissions';

    my $key = 'sk-' . '1' x 32;
    $roster->sql('INSERT INTO api_key (id, user_id, `key`, is_primary, name, routes) VALUES (?, ?, ?, 0, ?, ?)',
        'k1', $admin->{id}, $key, 'K', $coder->encode('["/users"]'));
    $roster->secret($key);
    is_deeply $roster->get('/auths/api_keys', $admin)->{json}[0]{routes}, ['/users'],
        "text in JSON in a key's routes is shown as what it holds";
    $roster->sql(
        'INSERT INTO config (id, data, version) VALUES (1, ?, 0)',
        '{"auth": {"enable_api_keys": true, "api_key": {"enable": true}}}');
    is $roster->get('/users/', {token => $key})->{status}, 200, 'and is what the key may call';
    is_problem $roster->get('/groups/', {token => $key}), 403, 'API_KEY_ENDPOINT_NOT_ALLOWED', 'and nothing else';
};

subtest 'the settings of the site' => sub {
    my $defaults = $roster->get('/users/default/permissions', $admin)->{body};
    my %form = %{$roster->settings($admin)};
    $roster->sql('DELETE FROM config');
    $roster->sql('INSERT INTO config (id, data, version) VALUES (1, ?, 0)',
        '{"n": 123456789012345678901234567890, "other": {"x": 1.50, "y": [1e999]}}');
    is $roster->post('/users/default/permissions', $admin, $defaults)->{status}, 200, 'a change';
    like $roster->sql('SELECT data FROM config'),
        qr/^\{"n":123456789012345678901234567890,"other":\{"x": 1\.50, "y": \[1e999\]\},"user":\{"permissions":/,
        'leaves what it is not about as it is written';
    $roster->sql('UPDATE config SET data = ?', $coder->encode('{"ui": {"enable_signup": false}, "own": 1.50}'));
    ok !$roster->settings($admin)->{ENABLE_SIGNUP}, 'text in JSON is read';
    is $roster->post('/users/default/permissions', $admin, $defaults)->{status}, 200, 'and changed';
    like $roster->sql('SELECT data FROM config'), qr/^\{"ui":\{"enable_signup": false\},"own":1\.50,"user":/,
        'without loss';
    my $long = 'x' x 16_001;
    for my $key (qw(WEBUI_URL API_KEYS_ALLOWED_ENDPOINTS PENDING_USER_OVERLAY_CONTENT RESPONSE_WATERMARK)) {
        my $answer = $roster->post('/auths/admin/config', $admin, $coder->encode({%form, $key => $long}));
        is_deeply [$answer->{status}, map { [@$_{qw(type loc)}] } @{$answer->{json}{detail}}],
            [422, ['string_too_long', ['body', $key]]], "$key has at most 16,000 characters";
    }
    my %ldap = (label => 'L', host => 'h', app_dn => 'd', app_dn_password => 'p', search_base => $long);
    is_problem $roster->post('/auths/admin/config/ldap/server', $admin, $coder->encode(\%ldap)), 422,
        'VALIDATION_ERROR',
        "so has LDAP's search_base";
    $roster->sql(q{UPDATE config SET data = JSON_SET(data, '$.ui.watermark', REPEAT('w', 20000))});
    my $given = $roster->settings($admin);
    is length $given->{RESPONSE_WATERMARK}, 20_000, 'a longer one that was moved over';
    is $roster->post('/auths/admin/config', $admin, $coder->encode($given))->{status}, 200, 'can be sent back';
    for my $bad ($broken, '[1]', '7', deep(300)) {
        my $name = substr $bad, 0, 20;
        $roster->sql('UPDATE config SET data = ?', $bad);
        is_problem $roster->get('/auths/admin/config', $admin), 500, 'INTERNAL_ERROR',
            "$name is not taken for an empty one";
        is_problem $roster->post('/users/default/permissions', $admin, $defaults), 500, 'INTERNAL_ERROR',
            'a change is refused';
        is_problem $roster->post('/auths/admin/config', $admin, $coder->encode(\%form)), 500, 'INTERNAL_ERROR', 'each';
        is_problem $roster->request(
            POST => '/auths/signup',
            json => {name => 'N', email => 'new@example.org', password => 'a fine new password'}
            ),
            500, 'INTERNAL_ERROR', 'sign-up stays closed';
        ok $roster->sql('SELECT data FROM config') eq $bad, 'nothing is written';
    }
    ok logged(qr/\[error\].*table config: .* not a valid JSON object/), 'the log says so';
    $roster->sql('DELETE FROM config');
    is $roster->get('/auths/admin/config', $admin)->{status}, 200, 'where there is none, it is as fresh';
};

# ---- Without memory ----

sub vm_size ($pid) { return Roster::Database::slurp("/proc/$pid/status") =~ /^VmSize:\s+(\d+) kB/m ? $1 * 1024 : undef }

# Workers that may take this much more memory than they have, and what one of them answers.
sub with_room ($pool, $bytes, $code) {
    my @pids;
    wait_until(10, sub { @pids = $roster->workers($pool); @pids >= ($pool eq 'api' ? 2 : 1) }) or die "no worker\n";
    for my $pid (@pids) {
        system('prlimit', '--pid', $pid, '--as=' . (vm_size($pid) + $bytes)) == 0 or die "prlimit failed\n";
    }
    my $answer = $code->();
    kill 'TERM', @pids;
    wait_until(10, sub { !kill 0, @pids });
    return $answer;
}

SKIP: {
    skip 'there is no prlimit here', 1 if system('prlimit --version >/dev/null 2>&1') != 0;
    skip 'a sanitizer or valgrind has an allocator of its own', 1
        if $ENV{ROSTER_TEST_VALGRIND} || `ldd $Roster::build/roster` =~ /libasan/;
    $roster->allow_log(qr/out of memory: \d+ bytes requested; this process exits/);
    subtest 'without memory nothing is lost' => sub {
        my $user = $roster->add_user(last_active_at => time);
        my $many = '{' . join(',', map { qq("key$_":"$_") } 1 .. 9000) . '}';
        my $config =
            '{"ui":{"enable_signup":false},"many":' . '{' . join(',', map { qq("key$_":"$_") } 1 .. 20000) . '}' . '}';
        my $defaults = $roster->get('/users/default/permissions', $admin)->{body};
        $roster->set_columns($user, info => $many);
        $roster->sql('INSERT INTO config (id, data, version) VALUES (1, ?, 0)', $config);
        my $more = ',"more":' . '[' . join(',', ('{}') x 9000) . ']' . '}';
        my %seen;
        for my $room (map { $_ * 1_500_000 } 0 .. 14) {
            my $answer =
                with_room('api', $room, sub { $roster->post('/users/user/info/update', $user, '{"key1":"1"' . $more) });
            $seen{info}{$answer->{status}}++;
            if ($answer->{status} != 200) {
                is_problem $answer, 503, 'UNAVAILABLE', "a good body with $room bytes of room: 503" or last;
                ok $answer->{headers}{'retry-after'}, 'with Retry-After';
            }
            # The worker may have ended behind the change, while it answered.
            my $stored = stored('info', $user);
            ok $stored eq $many || $stored eq substr($many, 0, -1) . $more, 'and what is stored is whole'
                or diag length $stored;
            $roster->set_columns($user, info => $many);
            $answer = with_room('api', $room, sub { $roster->post('/users/default/permissions', $admin, $defaults) });
            $seen{config}{$answer->{status}}++;
            is_problem $answer, 503, 'UNAVAILABLE', "a change of the settings with $room bytes of room: 503"
                or last
                if $answer->{status} != 200;
            my $data = $roster->sql('SELECT data FROM config');
            ok $data eq $config || substr($data, 0, length($config) - 1) eq substr($config, 0, -1),
                'the settings of the site are whole'
                or diag length $data;
        }
        ok $seen{$_}{503} && $seen{$_}{200}, "$_: it was tried both with too little and with enough"
            or diag explain \%seen
            for qw(info config);
        $roster->sql('DELETE FROM config');
    };
    subtest 'without memory no password is wrong' => sub {
        my $user = $roster->add_user(last_active_at => time);
        my %sign_in = (email => $user->{email}, password => $user->{password});
        is $roster->request(POST => '/auths/signin', json => \%sign_in)->{status}, 200, 'with memory it is right';
        $roster->set_directives(password_scrypt_n => 16384);
        my @old = $roster->workers('password');
        $roster->process('roster')->signal('HUP');
        wait_until(10, sub { my @new = $roster->workers('password'); @new == 1 && $new[0] != $old[0] });
        is $roster->request(POST => '/auths/signin', json => \%sign_in)->{status}, 200,
            'it is hashed with a cost that takes 16 MiB';
        for my $body (\%sign_in, {%sign_in, password => 'a wrong password'}, {%sign_in, email => 'nobody@example.org'})
        {
            my $answer =
                with_room('password', 4_000_000, sub { $roster->request(POST => '/auths/signin', json => $body) });
            is_problem $answer, 503, 'UNAVAILABLE', 'without: 503';
            ok $answer->{headers}{'retry-after'}, 'with Retry-After';
        }
        my $answer = with_room(
            'password',
            4_000_000,
            sub {
                $roster->post('/auths/update/password', $user,
                    {password => $user->{password}, new_password => 'a fine new password'});
            });
        is_problem $answer, 503, 'UNAVAILABLE', 'nor in a change';
        unlike $roster->log_text, qr/wrong password|unknown account|wrong present password/,
            'the log says nothing of wrong ones';
        ok logged(qr/scrypt with N 16384.* failed: /), 'but why';
    };
}

done_testing;
