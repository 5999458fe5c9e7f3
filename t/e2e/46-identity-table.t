# The identity table: what workers keep of people, sessions and API keys in shared memory is never older than what whoever
# asks can know of. Every way of changing something is tried while all of it is kept, and each worker is compared with a
# service that keeps nothing.
use v5.36;

use IO::Select;
use IO::Socket::UNIX;
use POSIX ();
use Test::More;
use Time::HiRes ();

use Roster;

my $roster = Roster->new(
    config => {identity_cache => '1h', last_active_interval => '1h', rate_limits => 'no'},
    api => {workers => 3},
    password => {workers => 2});

# A second service over the same rows, which asks MariaDB and Redis each time.
my $plain = Roster->new(
    without => [qw(mariadb redis nginx)],
    config => {
        last_active_interval => '1h',
        secret_key_file => "$roster->{directory}/secret.key",
        database_password_file => "$roster->{directory}/database.password",
        database_socket => $roster->socket_path('mariadb'),
        redis_socket => $roster->socket_path('redis')
    });

my $admin = $roster->add_user(role => 'admin', created_at => 1_000_000);

my @workers = $roster->workers('api');

sub post ($path, $json, $who = $admin) { return $roster->post($path, $who, $json) }

# Statements that MariaDB got meanwhile, but for ours.
sub statements ($code) {
    my $count = sub { return ($roster->sql(q{SHOW GLOBAL STATUS LIKE 'Com_stmt_execute'}))[0][1] };
    my $before = $count->();
    $code->();
    return $count->() - $before;
}

# Questions that Redis got meanwhile.
sub commands ($code) {
    my $count = sub {
        my $sum = 0;
        my $text = $roster->redis('INFO', 'commandstats');
        $sum += $1 while $text =~ /^cmdstat_(?:get|exists):calls=(\d+)/mg;
        return $sum;
    };
    my $before = $count->();
    $code->();
    return $count->() - $before;
}

# ---- What is asked ----

# The requests that are answered from the table: who asks, and what.
sub questions ($user) {
    my $path = "/users/$user->{id}";
    return (
        [$admin->{token}, $path],
        [$admin->{token}, "$path/active"],
        [$user->{token}, $path],
        [$user->{token}, '/users/permissions'],
        [$user->{token}, '/auths/'],
        [$user->{token}, '/verify'],
        [$user->{endless}, '/users/permissions'],
        [$user->{key}, $path],
        [$user->{key}, '/auths/'],
        [$user->{named_key}, '/users/permissions']);
}

# Lists with the user: who is on a page is asked of MariaDB, what is shown of them comes from the table.
sub lists ($user) {
    my ($query) = $user->{email} =~ /^(.*)\@/;
    return ([$admin->{token}, "/users/?query=$query"], [$user->{token}, "/users/search?query=$query"]);
}

sub answers ($user, $ask = sub ($token, $path) { return $roster->get($path, $token) }) {
    return [
        map {
            my $answer = $ask->(@$_);
            [$_->[1], @$answer{qw(status json)}, @{$answer->{headers}}{qw(remote-email remote-name remote-groups)}]
        } questions($user),
        lists($user)
    ];
}

sub ask ($user, $times = 5) {
    for (1 .. $times) {
        $roster->get(reverse @$_) for questions($user);
    }
    return;
}

# What has to be answered.
sub truths ($user) {
    return answers(
        $user,
        sub ($token, $path) {
            my $pool = $path =~ m{^/users/(?:\?|search)} ? 'directory' : 'api';
            return $plain->fastcgi($pool, {REQUEST_URI => "/api/v1$path", HTTP_AUTHORIZATION => "Bearer $token"});
        });
}

# Somebody who was here just now, with two API keys and a session without an end, of whom everything is kept.
sub known_user (%columns) {
    my $user = $roster->add_user(role => 'user', name => 'Ada', last_active_at => time, %columns);
    $user->{key} = $roster->post('/auths/api_key', $user, {})->{json}{api_key} // die "no API key\n";
    @$user{qw(named_id named_key)} =
        @{$roster->post('/auths/api_keys', $user, {name => 'Named'})->{json}}{qw(id api_key)};
    $user->{endless} = $roster->token_for($user->{id}, exp => undef);
    $roster->sql("UPDATE $_ = ?", time) for 'session SET last_seen_at', 'api_key SET last_used_at';
    ask($user);
    answers($user) for 1, 2;
    return $user;
}

# Waits until nobody is asked any more.
sub is_kept ($user) {
    return wait_until(
        10,
        sub {
            ask($user);
            statements(sub { ask($user) }) == 0;
        });
}

my $settings = $roster->change_settings($admin, ENABLE_API_KEYS => \1, JWT_EXPIRES_IN => '-1');
my $defaults = $roster->get('/users/default/permissions', $admin)->{json};
is post('/users/default/permissions', {%$defaults, features => {%{$defaults->{features}}, api_keys => \1}})->{status},
    200, 'everybody may have API keys';

subtest 'neither MariaDB nor Redis is asked' => sub {
    my $user = known_user();
    ok is_kept($user), 'no request sends a statement' or diag statements(sub { ask($user) });
    # Now and then an idle worker looks after revocations.
    ok wait_until(
        10,
        sub {
            commands(sub { ask($user) }) == 0;
        }
        ),
        'nor a command of Redis';
    is_deeply answers($user), truths($user), 'the answers are right';
    is_deeply [sort { $a <=> $b } map { $_->[1] } @{answers($user)}], [(200) x 11, 204], 'and good';
    for my $list (lists($user)) {
        my ($token, $path) = @$list;
        is scalar(@{$roster->get($path, $token)->{json}{users}}), 1, "$path has the user";
        ok wait_until(
            10,
            sub {
                statements(sub { $roster->get($path, $token) }) <= 2;
            }
            ),
            'whose row is not read';
    }
};

subtest 'a list with accounts' => sub {
    my $query = '?include=account&order_by=name';
    my @rows =
        map { $roster->call(users_list => 200, token => $admin->{token}, query => $query)->{json}{users} } 1 .. 2;
    is_deeply $rows[1], $rows[0], 'rows that are kept, and their accounts';
    is ref $rows[1][0]{account}, 'HASH', '... each has one';
    my ($bare) =
        @{$roster->call(users_list => 200, token => $admin->{token}, query => '?order_by=name')->{json}{users}};
    ok !exists $bare->{account}, '... and none where it is not asked for';
};

subtest 'GET /verify, where an older account gets nearly the same address' => sub {
    my ($elder, $user) = map { known_user(created_at => $_) } 2_000_000, 3_000_000;
    my $verify = sub () {
        return join ' ', map { $roster->get('/verify', $user)->{status} } 1 .. 5;
    };
    ok is_kept($user), 'that it is let in is kept';
    is $verify->(), join(' ', (204) x 5), 'it is let in';
    my $address = $user->{email} =~ s/^p/\x{1e57}/r;
    is post("/users/$elder->{id}/update",
        {role => 'user', name => 'Ada', profile_image_url => '/user.png', email => $address})->{status},
        200, 'an administrator gives the older one such an address';
    is $verify->(), join(' ', (403) x 5), 'at once it is refused';
    is $roster->ask(DELETE => "/users/$elder->{id}", $admin)->{status}, 200, 'the older one is deleted';
    is $verify->(), join(' ', (204) x 5), 'at once it is let in again';
};

# ---- Changes ----

my $group = post('/groups/create', {name => 'Staff', description => ''})->{json}{id};
my $other = post('/groups/create', {name => 'Others', description => ''})->{json}{id};
my %update = (role => 'user', name => 'Ada', profile_image_url => '/user.png');

sub join_groups ($user, @ids) {
    post("/groups/id/$_/users/add", {user_ids => [$user->{id}]}) for @ids;
    ask($user);
    return;
}

sub rosterctl (@words) {
    my ($status, $text) = $roster->rosterctl(@words);
    return {status => $status ? "rosterctl @words: $text" : 200};
}

# What is changed, and by what.
my @changes = (
    [
        'nothing' => sub ($user) { return {status => 200} }
    ],
    ['name' => sub ($user) { post("/users/$user->{id}/update", {%update, email => $user->{email}, name => 'Grace'}) }],
    ['address' => sub ($user) { post("/users/$user->{id}/update", {%update, email => "other-$user->{email}"}) }],
    [
        'role, which ends the sessions' => sub ($user) {
            post("/users/$user->{id}/update", {%update, email => $user->{email}, role => 'admin'});
        }
    ],
    [
        'role that allows nothing' => sub ($user) {
            post("/users/$user->{id}/update", {%update, email => $user->{email}, role => 'pending'});
        }
    ],
    [
        'profile' => sub ($user) {
            post('/auths/update/profile', {name => 'Ada L', profile_image_url => '/user.png', bio => 'b'}, $user);
        }
    ],
    ['time zone' => sub ($user) { post('/auths/update/timezone', {timezone => 'Europe/Vienna'}, $user) }],
    ['status' => sub ($user) { post('/users/user/status/update', {status_message => 'here'}, $user) }],
    ['info' => sub ($user) { post('/users/user/info/update', {city => 'Graz'}, $user) }],
    ['settings of a user' => sub ($user) { post('/users/user/settings/update', {ui => {theme => 'dark'}}, $user) }],
    ['disable' => sub ($user) { post("/users/$user->{id}/disable", {}) }],
    [
        'enable' => sub ($user) {
            post("/users/$user->{id}/disable", {});
            ask($user);
            post("/users/$user->{id}/enable", {});
        }
    ],
    ['deletion' => sub ($user) { $roster->ask(DELETE => "/users/$user->{id}", $admin) }],
    ['sign-out' => sub ($user) { $roster->get('/auths/signout', $user) }],
    ['sign-out everywhere' => sub ($user) { $roster->ask(DELETE => '/auths/sessions', $user) }],
    [
        'sessions ended by an administrator' =>
            sub ($user) { $roster->ask(DELETE => "/users/$user->{id}/sessions", $admin) }
    ],
    [
        'password' => sub ($user) {
            post('/auths/update/password', {password => $Roster::PASSWORD, new_password => 'another long password'},
                $user);
        }
    ],

    # ---- Many users ----
    (
        map {
            my ($name, $body) = @$_;
            ["$name of many" => sub ($user) { post('/users/bulk', {%$body, user_ids => [$user->{id}]}) }]
        } ['role', {action => 'role', role => 'pending'}],
        ['disabling', {action => 'disable'}],
        ['deletion', {action => 'delete'}],
        ['joining', {action => 'add_to_group', group_id => $group}]
    ),
    [
        'enabling of many' => sub ($user) {
            post("/users/$user->{id}/disable", {});
            ask($user);
            post('/users/bulk', {action => 'enable', user_ids => [$user->{id}]});
        }
    ],
    [
        'leaving of many' => sub ($user) {
            join_groups($user, $group);
            post('/users/bulk', {action => 'remove_from_group', group_id => $group, user_ids => [$user->{id}]});
        }
    ],

    # ---- API keys ----
    [
        'a key that an administrator removes' =>
            sub ($user) { $roster->ask(DELETE => "/auths/admin/api_keys/$user->{named_id}", $admin) }
    ],
    ['another primary key' => sub ($user) { post('/auths/api_key', {}, $user) }],
    ['no primary key' => sub ($user) { $roster->ask(DELETE => '/auths/api_key', $user) }],
    [
        'paths of a key' => sub ($user) {
            post("/auths/api_keys/$user->{named_id}", {routes => ['/api/v1/groups']}, $user);
        }
    ],
    [
        'end of a key' => sub ($user) {
            my $answer = post("/auths/api_keys/$user->{named_id}", {expires_at => time + 1}, $user);
            ask($user);
            Time::HiRes::sleep(2);
            return $answer;
        }
    ],
    ['no such key' => sub ($user) { $roster->ask(DELETE => "/auths/api_keys/$user->{named_id}", $user) }],

    # ---- Groups ----
    ['joining a group' => sub ($user) { post("/groups/id/$group/users/add", {user_ids => [$user->{id}]}) }],
    [
        'leaving a group' => sub ($user) {
            join_groups($user, $group);
            post("/groups/id/$group/users/remove", {user_ids => [$user->{id}]});
        }
    ],
    [
        'a group that is renamed' => sub ($user) {
            join_groups($user, $group);
            post("/groups/id/$group/update", {name => 'Crew', description => ''});
        }
    ],
    [
        'the permissions of a group' => sub ($user) {
            join_groups($user, $group);
            post("/groups/id/$group/update",
                {name => 'Crew', description => '', permissions => {workspace => {tools => \1}}});
        }
    ],
    [
        'a group that is deleted' => sub ($user) {
            my $new = post('/groups/create', {name => 'Short', description => ''})->{json}{id};
            join_groups($user, $new);
            $roster->ask(DELETE => "/groups/id/$new/delete", $admin);
        }
    ],
    [
        'the order of groups, which have changed in another order' => sub ($user) {
            join_groups($user, $group, $other);
            Time::HiRes::sleep(1.1);
            my $somebody = $roster->add_user;
            post("/groups/id/$group/users/add", {user_ids => [$somebody->{id}]});
        }
    ],
    [
        'the order of groups, by the deletion of a member' => sub ($user) {
            my $somebody = $roster->add_user;
            post("/groups/id/$other/users/add", {user_ids => [$somebody->{id}]});
            join_groups($user, $group, $other);
            Time::HiRes::sleep(1.1);
            post("/groups/id/$group/update", {name => 'Crew', description => ''});
            ask($user);
            Time::HiRes::sleep(1.1);
            $roster->ask(DELETE => "/users/$somebody->{id}", $admin);
        }
    ],
    [
        'the order of groups, by a sign-up into the default group' => sub ($user) {
            join_groups($user, $group, $other);
            Time::HiRes::sleep(1.1);
            post("/groups/id/$group/update", {name => 'Crew', description => ''});
            my $before = $roster->settings($admin);
            post('/auths/admin/config', {%$before, DEFAULT_GROUP_ID => $other, ENABLE_SIGNUP => \1});
            ask($user);
            Time::HiRes::sleep(1.1);
            my $answer = post('/auths/signup',
                {name => 'New', email => "new-$$@{[rand]}\@example.org", password => 'a long password'}, undef);
            ask($user);
            post('/auths/admin/config', {%$before, DEFAULT_GROUP_ID => '', ENABLE_SIGNUP => \0});
            return $answer;
        }
    ],

    # ---- What is for all ----
    [
        'default permissions' => sub ($user) {
            my $now = $roster->get('/users/default/permissions', $admin)->{json};
            my $tools = $now->{workspace}{tools} ? \0 : \1;
            post('/users/default/permissions', {%$now, workspace => {%{$now->{workspace}}, tools => $tools}});
        }
    ],
    [
        'no API keys for anybody' => sub ($user) { post('/auths/admin/config', {%$settings, ENABLE_API_KEYS => \0}) },
        sub { post('/auths/admin/config', {%$settings, ENABLE_API_KEYS => \1, JWT_EXPIRES_IN => '-1'}) }
    ],
    [
        'API keys for some paths' => sub ($user) {
            post(
                '/auths/admin/config',
                {
                    %$settings,
                    ENABLE_API_KEYS => \1,
                    ENABLE_API_KEYS_ENDPOINT_RESTRICTIONS => \1,
                    API_KEYS_ALLOWED_ENDPOINTS => '/api/v1/auths'
                });
        },
        sub { post('/auths/admin/config', {%$settings, ENABLE_API_KEYS => \1, JWT_EXPIRES_IN => '-1'}) }
    ],
    [
        'sessions end' => sub ($user) {
            post('/auths/admin/config', {%$settings, ENABLE_API_KEYS => \1, JWT_EXPIRES_IN => '4w'});
        },
        sub { post('/auths/admin/config', {%$settings, ENABLE_API_KEYS => \1, JWT_EXPIRES_IN => '-1'}) }
    ],

    # ---- rosterctl ----
    ['rosterctl user set' => sub ($user) { rosterctl('user', 'set', $user->{id}, '--name', 'By the administrator') }],
    ['rosterctl user role' => sub ($user) { rosterctl('user', 'role', $user->{id}, 'pending', '--yes') }],
    ['rosterctl user passwd' => sub ($user) { rosterctl('user', 'passwd', $user->{id}, '--one-time-password') }],
    ['rosterctl user disable' => sub ($user) { rosterctl('user', 'disable', $user->{id}, '--yes') }],
    ['rosterctl user logout' => sub ($user) { rosterctl('user', 'logout', $user->{id}, '--yes') }],
    ['rosterctl user delete' => sub ($user) { rosterctl('user', 'delete', $user->{id}, '--yes') }],
    ['rosterctl key delete' => sub ($user) { rosterctl('key', 'delete', $user->{id}, $user->{named_id}, '--yes') }],
    ['rosterctl group add-member' => sub ($user) { rosterctl('group', 'add-member', $group, $user->{id}) }],
    [
        'rosterctl permissions group' => sub ($user) {
            join_groups($user, $other);
            rosterctl('permissions', 'group', $other, 'workspace.prompts=yes');
        }
    ],
    ['rosterctl permissions default' => sub ($user) { rosterctl('permissions', 'default', 'workspace.models=yes') }],
    [
        'rosterctl settings set' => sub ($user) { rosterctl('settings', 'set', 'ENABLE_API_KEYS=no') },
        sub { rosterctl('settings', 'set', 'ENABLE_API_KEYS=yes') }
    ],);
for my $change (@changes) {
    my ($name, $code, $undo) = @$change;
    subtest $name => sub {
        my $user = known_user(password => $Roster::PASSWORD);
        is_deeply answers($user), truths($user), 'before';
        is $code->($user)->{status}, 200, 'it is done';
        my $truths = truths($user);
        for my $pid (@workers) {
            is_deeply $roster->on_worker('api', $pid, sub { answers($user) }), $truths, "seen by $pid";
        }
        is $undo->()->{status}, 200, 'undone' if $undo;
    };
}

# ---- Documents ----

my %document = (info => '/users/user/info', settings => '/users/user/settings');
for my $column (sort keys %document) {
    my $path = $document{$column};
    subtest "$column" => sub {
        my $user = known_user();
        my $set = sub (%members) { return $roster->post("$path/update", $user, \%members) };
        $roster->get($path, $user);
        my $number = 0;
        ok wait_until(
            10,
            sub {
                statements(sub { $set->(number => ++$number) for 1 .. 5 }) == 5;
            }
            ),
            'a change is one statement: neither the session nor the document is read again';
        ok wait_until(
            10,
            sub {
                statements(sub { $roster->get($path, $user) }) == 0;
            }
            ),
            'nor by who asks for it then';
        for my $pid ($roster->workers('api')) {
            my ($own, $whole) =
                $roster->on_worker('api', $pid,
                sub { [map { $_->{json} } $roster->get($path, $user), $roster->get("/users/$user->{id}", $admin)] })
                ->@*;
            is $own->{number}, $number, "seen by $pid";
            is $whole->{$column}{number}, $number, 'and in the row';
        }
        $roster->sql("UPDATE user SET $column = ? WHERE id = ?", '{"by_hand":1}', $user->{id});
        my %expected = (by_hand => 1, number => 0, $column eq 'settings' ? (ui => {}) : ());
        is_json $set->(number => 0), \%expected, 'what was changed by hand meanwhile is not lost';
        is_json $roster->get($path, $user), \%expected, 'and is known from then on';
        at_once(
            map {
                my $part = $_;
                sub {
                    map { in_short($set->("key$part.$_" => $part)) } 1 .. 5;
                }
            } 1 .. 8);
        is scalar(grep { /^key/ } keys %{$roster->get($path, $user)->{json}}), 40,
            '40 members that were set at once by 8 are all there';
        is_deeply $roster->get("/users/$user->{id}", $admin)->{json}{$column}, $roster->get($path, $user)->{json},
            'in the row, too';
    };
}

subtest 'status and time zone' => sub {
    my $user = known_user();
    my $number = 0;
    ok wait_until(
        10,
        sub {
            statements(sub {
                $roster->get('/users/user/status', $user);
                post('/auths/update/timezone', {timezone => 'Asia/Tokyo'}, $user);
            }) == 2;
        }
        ),
        'neither ends what is kept of the session';
    my $answer;
    ok wait_until(
        10,
        sub {
            $roster->get('/users/user/status', $user);
            statements(sub { $answer = post('/users/user/status/update', {status_message => 'm' . ++$number}, $user) })
                == 1;
        }
        ),
        'the answer is made without reading the row again';
    is_json $roster->get('/users/user/status', $user), $answer->{json}, 'and is what is there';
};

subtest 'by hand in SQL' => sub {
    $roster->configure(config => {identity_cache => '2s'});
    $roster->reload;
    my $user = known_user();
    $roster->sql(q{UPDATE user SET name = 'By hand' WHERE id = ?}, $user->{id});
    ok wait_until(4, sub { $roster->get("/users/$user->{id}", $admin)->{json}{name} eq 'By hand' }),
        'seen after identity_cache';
    my ($token, $path) = @{(lists($user))[0]};
    my $count = sub { return scalar @{$roster->get($path, $token)->{json}{users}} };
    is $count->(), 1, 'a list shows the user';
    $roster->sql('DELETE FROM user WHERE id = ?', $user->{id});
    ok wait_until(4, sub { $count->() == 0 }), 'and not for longer than that after a deletion';
    $roster->configure(config => {identity_cache => '1h'});
    $roster->reload;
    @workers = $roster->workers('api');
};

# The caller is kept, and what a handler asks for is not.
subtest 'an account that is deleted behind authentication' => sub {
    for my $way (qw(token key)) {
        my $user = $roster->add_user(last_active_at => time);
        $user->{key} = $roster->post('/auths/api_key', $user, {})->{json}{api_key};
        my $ask = sub { $roster->get('/users/permissions', $user->{$way}) };
        $ask->();
        ok wait_until(10, sub { statements($ask) == 0 }), "$way: who it is is kept";
        $roster->sql('DELETE FROM user WHERE id = ?', $user->{id});
        $roster->call(session_get => 'INVALID_TOKEN', token => $user->{$way});
    }
};

# ---- Between reading and storing ----

# One attempt: $code, which changes something, runs while a request is half done. Gives both statuses.
sub change_between ($token, $path, $table, $code) {
    my $lock = Roster::Database->connect($roster->socket_path('mariadb'));
    $lock->run("LOCK TABLES roster.`$table` WRITE");
    my $reader = in_background(sub { $roster->get($path, $token)->{status} });
    my $waits = $roster->wait_statement($table);
    my $answer = $code->();
    $lock->run('UNLOCK TABLES');
    $lock->disconnect;
    return ($waits ? $answer->{status} : 'nobody waits', $reader->());
}

# A request has read what is changed then, and waits for a table before it reads the rest: it must not store what it has
# read. The service waits a second at most: where this machine needs more, it is tried again.
sub while_it_reads ($table, $prepare, $code) {
    my ($user, @statuses);
    for (1 .. 10) {
        my ($token, $path);
        ($user, $token, $path) = $prepare->();
        @statuses = change_between($token, $path, $table, sub { $code->($user) });
        last if "@statuses" eq '200 200';
    }
    is "@statuses", '200 200', "it is done while a request waits for $table";
    my $truths = truths($user);
    for my $pid (@workers) {
        is_deeply $roster->on_worker('api', $pid, sub { answers($user) }), $truths, "it has not stored it for $pid";
    }
    return;
}

subtest 'a row is changed while it is read' => sub {
    while_it_reads(
        'group',
        sub () {
            my $user = known_user();
            post('/auths/update/timezone', {timezone => 'Europe/Vienna'}, $user);    # what is kept counts no more
            return ($user, $admin->{token}, "/users/$user->{id}");
        },
        sub ($user) { return post('/auths/update/timezone', {timezone => 'Asia/Tokyo'}, $user) });
};

subtest 'a key is deleted while it is read' => sub {
    while_it_reads(
        'config',
        sub () {
            my $user = known_user();
            $user->{key} = post('/auths/api_key', {}, $user)->{json}{api_key};
            return ($user, $user->{key}, "/users/$user->{id}");
        },
        # by somebody whose session is kept: the statement that finds another one reads config, too
        sub ($user) {
            my $id = $roster->sql('SELECT id FROM api_key WHERE user_id = ?', $user->{id});
            return $roster->ask(DELETE => "/auths/admin/api_keys/$id", $admin);
        });
};

# ---- Redis, and other programs ----

my $jti = sub ($token) {
    return JSON::PP->new->decode(MIME::Base64::decode_base64url((split /\./, $token)[1]))->{jti};
};

subtest 'another program revokes' => sub {
    my $user = known_user();
    $roster->redis('SET', 'open-webui:auth:token:' . $jti->($user->{token}) . ':revoked', 1);
    ok wait_until(1, sub { $roster->get('/users/user/settings', $user)->{status} == 401 }), 'a token';
    $user = known_user();
    $roster->redis('SET', "open-webui:auth:user:$user->{id}:revoked_at", time + 1);
    ok wait_until(1, sub { $roster->get('/users/user/settings', $user)->{status} == 401 }), 'all tokens of a user';
};

subtest 'Redis is flushed and restarted' => sub {
    my $user = known_user();
    $roster->redis('FLUSHALL');
    is $roster->get('/users/user/settings', $user)->{status}, 200, 'flushed';
    $roster->restart('redis');
    ok wait_until(5, sub { $roster->get('/users/user/settings', $user)->{status} == 200 }), 'restarted';
    ok is_kept($user), 'then it is followed again';
    $roster->redis('SET', 'open-webui:auth:token:' . $jti->($user->{token}) . ':revoked', 1);
    ok wait_until(1, sub { $roster->get('/users/user/settings', $user)->{status} == 401 }), 'as before';
};

subtest 'the watcher' => sub {
    my $user = known_user();
    ok is_kept($user), 'first nothing is asked';
    my $pid = $roster->watcher;
    kill 'STOP', $pid;
    Time::HiRes::sleep(1.3);
    cmp_ok statements(sub { ask($user) }), '>', 40, 'without its sign of life every request asks';
    $roster->redis('SET', 'open-webui:auth:token:' . $jti->($user->{token}) . ':revoked', 1);
    is $roster->get('/users/permissions', $user)->{status}, 401, 'so what another program revokes is refused at once';
    kill 'CONT', $pid;
    $user = known_user();
    ok is_kept($user), 'with it none does';
    kill 'KILL', $pid;
    ok wait_until(10, sub { my $new = $roster->watcher; $new && $new != $pid }), 'killed, another one is started';
    ok is_kept($user), 'and the table is used again';
};

# ---- Writes whose outcome nobody knows ----

# Runs $break while a write waits for a lock in the server, lets workers read what is there still, and gives the lock free:
# the server carries the write out, though whoever sent it is gone. It waits for a second at most, so this is tried until
# it is quick enough. What is answered then is what is there.
sub outcome_comes_late ($break, $mend = sub { }) {
    my $user;
    my $is_done = wait_until(
        60,
        sub {
            $user = known_user();
            my $lock = Roster::Database->connect($roster->socket_path('mariadb'));
            $lock->run('START TRANSACTION');
            $lock->run('SELECT id FROM roster.user WHERE id = ? FOR UPDATE', $user->{id});
            my $writer = in_background(sub {
                eval { post('/auths/update/timezone', {timezone => 'Asia/Tokyo'}, $user)->{status} } // 0;
            });
            my $waits = $roster->wait_statement('^UPDATE user SET .*timezone');
            $break->();
            my $path = "/users/$user->{id}";
            my $reads = grep { $_ && $_->{status} == 200 && !defined $_->{json}{timezone} }
                map {
                eval { $roster->get($path, $admin) }
                } 1 .. 4;
            $lock->run('ROLLBACK');
            $lock->disconnect;
            $writer->();
            return $waits && $reads && wait_until(
                0.5,
                sub {
                    ($roster->sql('SELECT timezone FROM user WHERE id = ?', $user->{id}) // '') eq 'Asia/Tokyo';
                });
        });
    ok $is_done, 'the server carries it out when nobody waits for it any more';
    is_deeply answers($user), truths($user), 'what is answered is what is there' for 1 .. 5;
    $mend->();
    ok is_kept($user), 'what it held is let go';
    return;
}

subtest 'a worker dies inside a write' => sub {
    outcome_comes_late(sub {
        kill 'KILL', $roster->workers('api');
    });
};

# Between the service and MariaDB: SIGUSR1 closes all connections of the service, and leaves those to MariaDB open until
# SIGUSR2.
sub relay ($from, $to) {
    my $listener = IO::Socket::UNIX->new(Local => $from, Listen => 100) // die "$from: $!\n";
    my $pid = fork // die "fork: $!\n";
    return $pid if $pid;
    my (%other, $is_cut, @kept);
    local $SIG{USR1} = sub { $is_cut = 1 };
    local $SIG{USR2} = sub { close $_ for splice @kept };
    my $select = IO::Select->new($listener);
    while (1) {
        my @ready = $select->can_read(0.05);
        if ($is_cut) {
            for my $near (grep { $other{$_}{is_near} } map { $_->{socket} } values %other) {
                my $far = $other{$near}{other};
                push @kept, $far;
                $select->remove($near, $far);
                delete @other{$near, $far};
                close $near;
            }
            $is_cut = 0;
            next;
        }
        for my $socket (@ready) {
            if ($socket == $listener) {
                my $near = $listener->accept // next;
                my $far = IO::Socket::UNIX->new(Peer => $to) // next;
                $other{$near} = {socket => $near, other => $far, is_near => 1};
                $other{$far} = {socket => $far, other => $near};
                $select->add($near, $far);
                next;
            }
            my $other = $other{$socket} ? $other{$socket}{other} : next;
            if (!sysread $socket, my $bytes, 65536) {
                $select->remove($socket, $other);
                delete @other{$socket, $other};
                close $_ for $socket, $other;
                next;
            }
            else { syswrite $other, $bytes }
        }
    }
}

subtest 'the connection breaks inside a write' => sub {
    my $socket = "$roster->{directory}/relay.sock";
    my $pid = relay($socket, $roster->socket_path('mariadb'));
    $roster->reconfigure(database_socket => $socket);
    outcome_comes_late(sub { kill 'USR1', $pid; Time::HiRes::sleep(0.1) }, sub { kill 'USR2', $pid });
    $roster->reconfigure(database_socket => $roster->socket_path('mariadb'));
    @workers = $roster->workers('api');
    kill 'KILL', $pid;
    waitpid $pid, 0;
};

# ---- Many at once ----

subtest 'readers and writers' => sub {
    my @users = map { known_user() } 1 .. 4;
    my $end = time + 6;
    my $shared = "$roster->{directory}/acknowledged";
    open my $memory, '+>', $shared or die "$shared: $!\n";
    print $memory "\0" x (8 * @users);
    $memory->flush;
    my @pids;
    my $run = sub ($code) {
        my $pid = fork // die "fork: $!\n";
        if (!$pid) {
            open my $own, '+<', $shared or die;
            POSIX::_exit($code->($own) ? 0 : 1);
        }
        push @pids, $pid;
    };
    for my $number (0 .. $#users) {
        $run->(sub ($own) {
            for (my $value = 1; time < $end; $value++) {
                my $answer = post('/users/user/status/update', {status_message => "$value"}, $users[$number]);
                next if $answer->{status} != 200;
                sysseek $own, 8 * $number, 0;
                syswrite $own, pack 'Q', $value;
            }
            return 1;
        });
    }
    for my $reader (1 .. 3) {
        $run->(sub ($own) {
            while (time < $end) {
                my $number = int rand @users;
                sysseek $own, 8 * $number, 0;
                sysread $own, my $bytes, 8;
                my $known = unpack 'Q', $bytes;
                my $answer = $roster->get("/users/$users[$number]{id}", $admin);
                return 0 if $answer->{status} == 200 && ($answer->{json}{status_message} // 0) < $known;
            }
            return 1;
        });
    }
    my $bad = 0;
    for my $pid (@pids) { waitpid $pid, 0; $bad++ if $? }
    is $bad, 0, 'no answer is older than a write that was acknowledged before the question';
    open my $in, '<', $shared or die;
    read $in, my $bytes, 8 * @users;
    my @written = unpack 'Q*', $bytes;
    cmp_ok $written[$_], '>', 10, "$written[$_] writes" for 0 .. $#users;
};

done_testing;
