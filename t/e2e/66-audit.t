# The audit: that each change writes its row, both or neither; that whoever changes, makes up or removes one is found out;
# how it is read, kept, and cannot be flooded.
use v5.36;

use JSON::PP ();
use Test::More;

use Roster;
use Roster::Factor qw(totp);
use Roster::Tables;

my $json = JSON::PP->new->canonical->utf8;
my $roster = Roster->new(
    start => 0,
    config => {
        rate_limits => 'no',
        audit_host => 'one',
        trusted_proxies => '198.51.100.7'
    });
my $log = "$roster->{directory}/log/audit.log";
$roster->set_directives(audit_log => $log);
$roster->start;

my $admin = $roster->add_user(role => 'admin', created_at => 1_000_000);
my $ada = $roster->add_user;
my @columns = qw(id host at action actor_id system_user subject_id object through session_jti key_id request_id detail
    address personal salt personal_mac mac_key mac number hash);

# The rows of the audit, oldest first, as hashes; detail and personal decoded.
sub rows (@where) {
    my $where = shift @where // 'TRUE';
    return map {
        my %row;
        @row{@columns} = @$_;
        defined $row{$_} and $row{$_} = $json->decode($row{$_}) for qw(detail personal);
        \%row
    } $roster->sql("SELECT @{[join ', ', map {qq{`$_`}} @columns]} FROM audit WHERE $where ORDER BY id", @where);
}

# What a request, or a command, wrote: "ACTION ACTOR>SUBJECT", with names of people for their ids.
sub told ($code) {
    my $last = ($roster->sql('SELECT COALESCE(MAX(id), 0) FROM audit'))[0][0];
    $code->();
    return rows('id > ?', $last);
}

my %name = ($admin->{id} => 'admin', $ada->{id} => 'ada');

sub shortly (@rows) {
    return join ', ', map {
        my ($actor, $subject) = map { defined ? $name{$_} // 'somebody' : '-' } @$_{qw(actor_id subject_id)};
        "$_->{action} $actor>$subject"
    } @rows;
}

sub tells ($code, $expected, $name) {
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    my @rows = told($code);
    is shortly(@rows), $expected, $name;
    return wantarray ? @rows : $rows[-1];
}

sub as ($who, %more) { return (token => $who->{token}, %more) }

# ---- Each action, by each route that may write it ----

my $row = tells(
    sub {
        $roster->call(
            user_update => 200,
            in => {user_id => $ada->{id}},
            as($admin),
            json => {
                role => 'pending',
                name => 'Ada L',
                email => 'ada@example.org',
                profile_image_url => '/user.png',
                password => 'another good password'
            });
    },
    join(', ', map { "$_ admin>ada" } qw(role_change email_change password_change user_change)),
    'a change of an account');
my ($role, $email) = rows(q{action IN ('role_change', 'email_change')});
is_deeply $role->{detail}, {role => {from => 'user', to => 'pending'}}, '... tells the role, from what to what';
is_deeply $email->{personal}, {email => {from => 'person2@example.org', to => 'ada@example.org'}},
    '... and the address';
is_deeply [@$role{qw(session_jti key_id through host address)}],
    [$admin->{jti}, undef, 'user_update', 'one', '127.0.0.1'],
    '... by whom, how, where and from where';
ok $roster->count_log(qr/\Q$role->{request_id}\E/, 'roster-access'), '... and the request in the access log';
tells(
    sub {
        $roster->update_user(
            $admin,
            {%$ada, email => 'ada@example.org', role => 'user', name => 'Ada L'},
            {profile_image_url => undef // '/user.png'});
    },
    'role_change admin>ada',
    'what stays is not told of');
$ada->{token} = $roster->new_session({email => 'ada@example.org', password => 'another good password'});
is shortly(($roster->sql('SELECT 1') ? rows(q{action = 'sign_in'}) : ())[-1]), 'sign_in ada>ada', 'a sign-in';

tells(sub { $roster->call(user_disable => 200, in => {user_id => $ada->{id}}, as($admin)) },
    'user_disable admin>ada', 'disabling');
tells(
    sub { $roster->sign_in({email => 'ada@example.org', password => 'another good password'}) },
    'sign_in_refused ->ada',
    'the account is refused');
tells(sub { $roster->call(user_enable => 200, in => {user_id => $ada->{id}}, as($admin)) },
    'user_enable admin>ada', 'enabling');
$row = tells(
    sub { $roster->sign_in('nobody@example.org', password => 'wrong password') },
    'sign_in_refused ->-',
    'nobody signs in');
is $row->{detail}{reason}, 'unknown account', '... why';
like $row->{detail}{account}, qr/^hmac:[0-9a-f]{16}$/, '... and who, by a keyed hash';
my $answer = $roster->sign_in('NOBODY@example.org', password => 'wrong password');
is $roster->access_line($answer)->{account}, $row->{detail}{account}, '... which the access log has, too';
$answer = $roster->sign_in({email => 'ada@example.org', password => 'another good password'});
is $roster->access_line($answer)->{account}, $ada->{id}, '... and the id of who has signed in';
$ada->{token} = $answer->{json}{token};

$row = tells(
    sub {
        $roster->call(
            password_update => 'INCORRECT_PASSWORD',
            as($ada),
            json => {password => 'wrong password', new_password => 'yet another good password'});
    },
    'password_refused ada>ada',
    'a wrong present password');
is_deeply [$row->{detail}{reason}, $row->{session_jti}],
    ['wrong present password', Roster::claims_of($ada->{token})->{jti}], '... why, and in which session';

my $jti = Roster::claims_of($ada->{token})->{jti};
my $other = $roster->new_session({email => 'ada@example.org', password => 'another good password'});
$row = tells(
    sub { $roster->call(session_end => 200, in => {jti => Roster::claims_of($other)->{jti}}, as($ada)) },
    'session_end ada>ada',
    'ending another session');
is_deeply [@$row{qw(object session_jti)}], [Roster::claims_of($other)->{jti}, $jti], '... which, and from which';
for my $name (qw(sign_out sign_out_post)) {
    my $token = $roster->new_session({email => 'ada@example.org', password => 'another good password'});
    tells(sub { $roster->call($name => 200, token => $token) }, 'sign_out ada>ada', $name);
}
$other = $roster->new_session({email => 'ada@example.org', password => 'another good password'});
tells(
    sub {
        $roster->call(
            user_session_end => 200,
            in => {user_id => $ada->{id}, jti => Roster::claims_of($other)->{jti}},
            as($admin));
    },
    'session_end admin>ada',
    'an administrator ends a session');
# A key of Ada's, for those who end everything.
sub make_key () {
    $roster->sql(q{INSERT INTO api_key (id, user_id, `key`, created_at, updated_at) VALUES (?, ?, ?, 1, 1)},
        Roster::uuid(), $ada->{id}, Roster::uuid());
    return;
}
make_key();
tells(
    sub {
        $roster->call(
            user_sessions_end => 200,
            in => {user_id => $ada->{id}},
            query => '?keys=true',
            as($admin));
    },
    'sessions_end admin>ada, key_delete admin>ada',
    'or all, with the keys');
tells(
    sub { $roster->call(user_sessions_revoke => 200, in => {user_id => $ada->{id}}, as($admin)) },
    'sessions_end admin>ada',
    '... as the original says it');
$ada->{token} = $roster->new_session({email => 'ada@example.org', password => 'another good password'});
make_key();
tells(
    sub { $roster->call(sessions_end => 200, query => '?keys=true', as($ada)) },
    'sessions_end ada>ada, key_delete ada>ada',
    'signing out everywhere, with the keys');
$ada->{token} = $roster->new_session({email => 'ada@example.org', password => 'another good password'});
tells(
    sub { $roster->call(confirm => 200, as($ada), json => {password => 'another good password'}) },
    'confirm ada>ada',
    'a confirmation');
tells(
    sub { $roster->call(confirm => 'INCORRECT_PASSWORD', as($ada), json => {password => 'wrong password'}) },
    'password_refused ada>ada',
    '... that is refused');
tells(
    sub {
        $roster->call(
            password_update => 200,
            as($ada), json => {password => 'another good password', new_password => 'the third good one'});
    },
    'password_change ada>ada',
    'the own password');
$roster->secret('the third good one');

$row = tells(sub { $roster->change_settings($admin, ENABLE_API_KEYS => JSON::PP::true, JWT_EXPIRES_IN => '2w') },
    'settings_change admin>-', 'settings');
is_deeply $row->{detail},
    {ENABLE_API_KEYS => {from => 'false', to => 'true'}, JWT_EXPIRES_IN => {from => '4w', to => '2w'}},
    '... which, and from what to what';
my $ldap = $roster->get('/auths/admin/config/ldap/server', $admin)->{json};
$row = tells(
    sub {
        $roster->call(
            ldap_server_set => 200,
            as($admin), json => {%$ldap, host => 'ldap.example.org', app_dn_password => 'the password of LDAP'});
    },
    'settings_change admin>-',
    'the server of LDAP');
is $row->{detail}{'ldap.app_dn_password'}{to}, '********', '... without its password';
$roster->secret('the password of LDAP');
my $permissions = $roster->get('/users/default/permissions', $admin)->{json};
$permissions->{chat}{delete} = $permissions->{chat}{delete} ? JSON::PP::false : JSON::PP::true;
$row = tells(
    sub { $roster->call(default_permissions_set => 200, as($admin), json => $permissions) },
    'permissions_change admin>-',
    'the default permissions');
ok $row->{detail}{'chat.delete'}, '... which';

tells(sub { $roster->call(api_key_set => 200, as($admin)) }, 'key_add admin>admin', 'a key');
tells(
    sub { $roster->call(api_key_set => 200, as($admin)) },
    'key_delete admin>admin, key_add admin>admin',
    '... replaced');
tells(sub { $roster->call(api_key_delete => 200, as($admin)) }, 'key_delete admin>admin', '... removed');
tells(sub { $roster->call(api_key_delete => 200, as($admin)) }, '', '... when it is gone, nothing');
my $key = $roster->call(api_keys_create => 200, as($admin), json => {name => 'a key'})->{json};
is rows(q{action = 'key_add' AND object = ?}, $key->{id}), 1, 'a named key';
tells(
    sub { $roster->call(api_keys_update => 200, in => {key_id => $key->{id}}, as($admin), json => {name => 'the key'}) }
    ,
    'key_change admin>admin',
    '... changed');
$row = tells(
    sub { $roster->call(user_disable => 200, in => {user_id => $ada->{id}}, token => $key->{api_key}) },
    'user_disable admin>ada',
    'a change by a key');
is_deeply [@$row{qw(session_jti key_id)}], [undef, $key->{id}], '... which';
tells(
    sub { $roster->call(api_keys_delete => 200, in => {key_id => $key->{id}}, as($admin)) },
    'key_delete admin>admin',
    'it is removed');
$key = $roster->call(api_keys_create => 200, as($admin), json => {name => 'another'})->{json};
tells(
    sub { $roster->call(admin_api_key_delete => 200, in => {key_id => $key->{id}}, as($admin)) },
    'key_delete admin>admin',
    '... by an administrator');

my $group;
$row = tells(
    sub {
        $group = $roster->call(group_create => 200, as($admin), json => {name => 'Staff', description => ''})->{json};
    },
    'group_add admin>-',
    'a group');
is $row->{object}, $group->{id}, '... which';
$row = tells(
    sub {
        $roster->call(
            group_update => 200,
            in => {group_id => $group->{id}},
            as($admin), json => {name => 'All staff', description => 'x'});
    },
    'group_change admin>-',
    '... changed');
is_deeply $row->{detail}, {changed => [qw(name description)], name => {from => 'Staff', to => 'All staff'}}, '... what';
tells(
    sub {
        $roster->call(
            group_users_add => 200,
            in => {group_id => $group->{id}},
            as($admin),
            json => {user_ids => [$ada->{id}, $ada->{id}, 'nobody', $admin->{id}]});
    },
    'member_add admin>ada, member_add admin>admin',
    'members, each once');
tells(
    sub {
        $roster->call(
            group_users_add => 200,
            in => {group_id => $group->{id}},
            as($admin), json => {user_ids => [$ada->{id}]});
    },
    '',
    'who is one already is not told of');
$row = tells(
    sub {
        $roster->call(
            group_users_remove => 200,
            in => {group_id => $group->{id}},
            as($admin), json => {user_ids => [$ada->{id}, 'nobody']});
    },
    'member_remove admin>ada',
    '... removed');
is $row->{object}, $group->{id}, '... from which';

$roster->change_settings($admin, DEFAULT_GROUP_ID => $group->{id}, ENABLE_SIGNUP => JSON::PP::true);
my $eve;
$row = (tells(
    sub {
        $eve = $roster->call(
            user_add => 200,
            as($admin),
            json => {name => 'Eve', email => 'eve@example.org', password => $Roster::PASSWORD, role => 'user'}
        )->{json};
    },
    'user_add admin>somebody, member_add admin>somebody, sign_in admin>somebody',
    'a new account'))[0];
is_deeply [@$row{qw(detail personal)}], [{role => 'user'}, {email => 'eve@example.org', name => 'Eve'}], '... whose';
tells(
    sub {
        $roster->call(
            sign_up => 200,
            json => {name => 'Bob', email => 'bob@example.org', password => $Roster::PASSWORD});
    },
    'user_add somebody>somebody, member_add somebody>somebody, sign_in somebody>somebody',
    'a sign-up');
my ($bob) = map { $_->[0] } $roster->sql(q{SELECT id FROM user WHERE name = 'Bob'});
$roster->reconfigure(public_url => 'https://users.example.org', sendmail_command => '/bin/true');
tells(
    sub { $roster->call(user_invite => 200, as($admin), json => {email => 'ivy@example.org'}) },
    'user_add admin>somebody, member_add admin>somebody',
    'an invitation');
$roster->reconfigure(public_url => undef, sendmail_command => undef);

for my $case (
    [{action => 'role', role => 'user'}, 'role_change'],
    [{action => 'disable'}, 'user_disable'],
    [{action => 'enable'}, 'user_enable'],
    [{action => 'remove_from_group', group_id => $group->{id}}, 'member_remove'],
    [{action => 'add_to_group', group_id => $group->{id}}, 'member_add'],
    [{action => 'delete'}, 'user_delete'])
{
    tells(
        sub { $roster->call(users_bulk => 200, as($admin), json => {%{$case->[0]}, user_ids => [$bob]}) },
        "$case->[1] admin>somebody",
        "many at once: $case->[0]{action}");
}
$row = tells(
    sub { $roster->call(user_delete => 200, in => {user_id => $eve->{id}}, as($admin)) },
    'user_delete admin>somebody',
    'deleting an account');
is_deeply $row->{personal}, {email => 'eve@example.org', name => 'Eve'}, '... whose';
my $own = $roster->add_user;
$name{$own->{id}} = 'own';
tells(sub { $roster->call(own_export => 200, as($own)) }, 'user_export own>own', 'an export of oneself');
tells(
    sub { $roster->call(user_export => 200, in => {user_id => $ada->{id}}, as($admin)) },
    'user_export admin>ada',
    'an export of another');
my $erased = $roster->add_user;
$row = tells(
    sub { $roster->call(user_erase => 200, in => {user_id => $erased->{id}}, as($admin)) },
    'user_erase admin>somebody',
    'an erasure');
is $row->{personal}, undef, '... of whom, is not told';
tells(
    sub { $roster->call(group_delete => 200, in => {group_id => $group->{id}}, as($admin)) },
    'settings_change admin>-, group_delete admin>-',
    'deleting the default group');

# A password that must be changed, and accounts of a proxy.
my $may = $roster->add_user;
$roster->sql('UPDATE auth SET must_change = 1 WHERE id = ?', $may->{id});
$name{$may->{id}} = 'may';
$roster->secret('yet another good one');
tells(
    sub {
        $roster->call(
            sign_in => 200,
            json => {email => $may->{email}, password => $may->{password}, new_password => 'yet another good one'});
    },
    'password_change may>may, sign_in may>may',
    'a new password at the sign-in');
$roster->sql('UPDATE auth SET password = ? WHERE id = ?', $Roster::PASSWORD_HASH, $may->{id});
tells(
    sub { $roster->call(sign_in => 200, json => {email => $may->{email}, password => $may->{password}}) },
    'sign_in may>may',
    'a hash that is replaced is no change of the password');
my $link = 'a secret of a link of a mail ......';
$roster->sql(
    q{INSERT INTO one_time_link (user_id, purpose, hash, email, expires_at) VALUES (?, 'reset', SHA2(?, 256), ?, ?)},
    $may->{id}, $link, $may->{email}, time + 1000);
$roster->secret('by the link of a mail');
tells(
    sub { $roster->call(password_reset => 200, json => {token => $link, new_password => 'by the link of a mail'}) },
    'password_change may>may',
    'a new password by the link of a mail');
$roster->reconfigure(trusted_email_header => 'X-Email', trusted_groups_header => 'X-Groups');
my $team = $roster->call(group_create => 200, as($admin), json => {name => 'Team', description => ''})->{json};
my %proxy = (client => '198.51.100.7', json => {email => '', password => ''});
tells(
    sub { $roster->call(sign_in => 200, %proxy, headers => ['X-Email' => 'new@example.org', 'X-Groups' => 'Team']) },
    'user_add somebody>somebody, member_add somebody>somebody, sign_in somebody>somebody',
    'somebody whom a proxy knows');
tells(
    sub { $roster->call(sign_in => 200, %proxy, headers => ['X-Email' => 'new@example.org', 'X-Groups' => '']) },
    'member_remove somebody>somebody, sign_in somebody>somebody',
    '... and who is in the group no more');
$roster->reconfigure(trusted_email_header => undef, trusted_groups_header => undef);

# The first account closes sign-up.
my $fresh = Roster->new(without => ['redis'], config => {redis_socket => '', compatibility => '0.12'});
my $first = $fresh->request(
    POST => '/auths/signup',
    json => {name => 'First', email => 'first@example.org', password => $Roster::PASSWORD});
is join(' ', map { $_->[0] } $fresh->sql(q{SELECT action FROM audit WHERE through = 'sign_up' ORDER BY id})),
    'settings_change user_add sign_in', 'the first account';
is $fresh->post('/auths/admin/config', $first->{json}, {ENABLE_MFA => JSON::PP::true})->{status}, 200,
    'everybody needs a second factor';
is join(' ', map { $_->[0] } $fresh->sql(q{SELECT action FROM audit WHERE through = 'admin_config_set' ORDER BY id})),
    'settings_change sessions_end', '... which ends all sessions';
$fresh->stop;

# Second factors.
my $kim = $roster->add_user;
$name{$kim->{id}} = 'kim';
my $secret;

sub mfa ($path, $who, %body) {
    $roster->sql('UPDATE second_factor SET last_step = -1, tries = 0 WHERE user_id = ?', $kim->{id});
    my $answer = $roster->request(POST => "/auths/mfa/$path", $who ? (token => $who->{token}) : (), json => \%body);
    return if ref $answer->{json} ne q{HASH};
    $roster->secret($_)
        for grep { $_ } @{$answer->{json}}{qw(token challenge_token manual_key)},
        @{$answer->{json}{recovery_codes} // []};
    return $answer->{json};
}
my $challenge = sub { return challenge_token => $roster->secret($roster->sign_in($kim)->{json}{challenge_token}) };
my $enrol = sub (%challenge) {
    $secret = mfa('enroll/start', undef, %challenge)->{manual_key};
    mfa('enroll/confirm', undef, %challenge, code => '000000');
    return mfa('enroll/confirm', undef, %challenge, code => totp($secret));
};
my $code = sub (@codes) { return code => shift(@codes), recovery => JSON::PP::true };
my $session = $roster->sign_in($kim)->{json};
my $codes;
tells(
    sub { $codes = $enrol->(challenge_token => mfa('enroll', $session)->{challenge_token})->{recovery_codes} },
    'sign_in_refused ->kim, factor_enrol kim>kim',
    'a second factor by choice');
tells(
    sub {
        my %challenge = $challenge->();
        mfa('verify', undef, %challenge, code => '000000');
        $session = mfa('verify', undef, %challenge, $code->($codes->[0]));
    },
    'sign_in_refused ->kim, factor_recovery kim>kim, sign_in kim>kim',
    'a sign-in by a code for an emergency');
tells(
    sub {
        mfa('recovery/codes', $session, code => '000000');
        $codes = mfa('recovery/codes', $session, $code->($codes->[1]))->{recovery_codes};
    },
    'sign_in_refused kim>kim, factor_recovery kim>kim, factor_codes kim>kim',
    'new ones');
$session = mfa('verify', undef, $challenge->(), code => totp($secret));
tells(
    sub {
        mfa('replace', $session, code => '000000');
        my $next = mfa('replace', $session, $code->($codes->[0]));
        $codes = $enrol->(challenge_token => $next->{challenge_token})->{recovery_codes};
    },
    'sign_in_refused kim>kim, factor_recovery kim>kim, sign_in_refused ->kim, factor_enrol kim>kim',
    'another factor');
$session = mfa('verify', undef, $challenge->(), code => totp($secret));
tells(
    sub {
        mfa('remove', $session, code => '000000');
        mfa('remove', $session, $code->($codes->[0]));
    },
    'sign_in_refused kim>kim, factor_recovery kim>kim, factor_remove kim>kim',
    'none any more');
tells(
    sub { $roster->ctl('user', 'mfa', 'require', $kim->{email}) },
    'factor_require ->kim',
    'rosterctl says that one is needed');
tells(sub { $enrol->($challenge->()) }, 'sign_in_refused ->kim, factor_enrol kim>kim, sign_in kim>kim', 'at a sign-in');
my $reset;
tells(
    sub { $reset = $roster->ctl('user', 'mfa', 'reset', '--yes', $kim->{email})->{out} },
    'factor_reset ->kim',
    'a reset');
chomp $reset;
$roster->secret($reset);
tells(
    sub {
        my %challenge = $challenge->();
        mfa('recover', undef, %challenge, reset_token => 'x' x 43);
        mfa('recover', undef, %challenge, reset_token => $reset);
    },
    'sign_in_refused ->kim',
    'a wrong reset token');

# A sign-in that ends another session.
ok $roster->reconfigure(sessions_per_user => 1);
$row = tells(
    sub { $roster->sign_in({%$may, password => 'by the link of a mail'}) for 1 .. 2 },
    'sign_in may>may, sign_in may>may, session_end may>may',
    'a sign-in beyond sessions_per_user');
is $row->{detail}{reason}, 'sessions_per_user', '... which tells why';
ok $roster->reconfigure(sessions_per_user => undef);

my %seen = map { ("$_->[0] $_->[1]" => 1) } $roster->sql('SELECT DISTINCT through, action FROM audit');
$seen{'sign_up settings_change'} = $seen{'admin_config_set sessions_end'} = 1;
is_deeply [
    grep { !$seen{$_} }
    map { "$_->{route} $_->{action}" } Roster::Tables::records('tables/routes.def', 'ROUTE_AUDIT')
    ],
    [], 'each row of each route was shown';
is_deeply [
    grep {
               !/rosterctl/
            && !{map { ("$_->{route} $_->{action}" => 1) } Roster::Tables::records('tables/routes.def', 'ROUTE_AUDIT')}
            ->{$_}
    } sort keys %seen
    ],
    [], '... and no route writes another';

# ---- rosterctl ----

my $typed = getpwuid $<;

sub ctl_tells ($expected, @arguments) {
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    my $result;
    my @rows = told(sub { $result = $roster->ctl(@arguments) });
    is $result->{status}, 0, "rosterctl @arguments[0, 1]" or diag $result->{err};
    is shortly(@rows), $expected, '... tells the audit';
    for my $row (@rows) {
        like $row->{system_user}, qr/^\Q$typed\E(?: \(.+\))?$/, '... who typed it';
        is $row->{through},
            "rosterctl $arguments[0]" . ($arguments[0] =~ /^(?:import|restore|backup)$/ ? '' : " $arguments[1]"),
            '... and what';
    }
    return $result;
}
ctl_tells('role_change ->ada', 'user', 'role', $ada->{id}, $_) for qw(pending user);
ctl_tells('user_change ->ada', 'user', 'set', $ada->{id}, '--name', 'Ada');
ctl_tells('password_change ->ada', 'user', 'passwd', $ada->{id}, '--password-stdin',
    {input => "the fourth good one\n"});
$roster->secret('the fourth good one');
ctl_tells('user_disable ->ada', 'user', 'disable', $ada->{id});
ctl_tells('user_enable ->ada', 'user', 'enable', $ada->{id});
ctl_tells('sessions_end ->ada', 'user', 'logout', $ada->{id});
ctl_tells('settings_change ->-', 'settings', 'set', 'WEBUI_URL=https://example.org');
ctl_tells('permissions_change ->-', 'permissions', 'default', 'chat.edit=no');
ctl_tells('group_add ->-', 'group', 'add', 'Crew');
ctl_tells('member_add ->ada', 'group', 'add-member', 'Crew', $ada->{id});
ctl_tells('member_remove ->ada', 'group', 'remove-member', 'Crew', $ada->{id});
ctl_tells('group_delete ->-', 'group', 'delete', 'Crew', '--yes');
chomp(my $made = ctl_tells('key_add ->ada', 'key', 'add', $ada->{id}, '--quiet')->{out});
$roster->secret($made);
ctl_tells('key_delete ->ada', 'key', 'delete', $ada->{id}, 'primary', '--yes');
ctl_tells(
    'user_add ->somebody', 'user', 'add', '--email',
    'zoe@example.org', '--name', 'Zoe', '--role',
    'user', '--no-password');
ctl_tells('user_delete ->somebody', 'user', 'delete', 'zoe@example.org', '--yes');
ctl_tells('user_export ->ada', 'user', 'export', $ada->{id});
ctl_tells('user_erase ->somebody', 'user', 'erase', $roster->add_user->{id}, '--yes');
ctl_tells('users_export ->-', 'user', 'export');
ctl_tells('users_export ->-', 'backup', "$roster->{directory}/backup.tar");
ctl_tells('secret_change ->-', 'secret', 'rotate');
$roster->reload;
my %kept = map { ($_->{mac} => 1) } rows();
ctl_tells('restore ->-', 'restore', "$roster->{directory}/backup.tar", '--replace', '--yes');
is_deeply [grep { !$kept{$_->{mac}} && $_->{action} ne 'restore' } rows()], [], 'a restore leaves the audit';
cmp_ok scalar(rows()), '>', 50, '... whole';

# ---- Both or neither ----

sub role_of ($user) { return ($roster->sql('SELECT role FROM user WHERE id = ?', $user->{id}))[0][0] }
{
    my $lock = Roster::Database->connect($roster->socket_path('mariadb'));
    my $count = rows();
    for my $way ('the worker is killed', 'its row can not be written') {
        my $was = role_of($ada);
        $lock->run('LOCK TABLES audit WRITE') if $way =~ /killed/;
        $lock->run('RENAME TABLE audit TO elsewhere') if $way !~ /killed/;
        my $connection = $roster->open_connection;
        print {$connection} Roster::Http::compose(
            POST => "/users/$ada->{id}/update",
            token => $admin->{token},
            json => {role => 'pending', name => 'Ada', email => 'ada@example.org', profile_image_url => '/user.png'});
        if ($way =~ /killed/) {
            ok $roster->wait_statement('INSERT INTO audit'), 'a worker is between the change and its row';
            kill KILL => $roster->workers('password'), $roster->workers('api');
            my $gone = wait_until(
                10,
                sub {
                    !grep { $_->[0] =~ /INSERT INTO audit/ }
                        $roster->sql(
                        'SELECT COALESCE(INFO, "") FROM information_schema.PROCESSLIST WHERE ID <> CONNECTION_ID() AND COMMAND <> "Sleep"'
                        );
                });
            $lock->run('UNLOCK TABLES');
        }
        my $line = readline $connection;
        $lock->run('RENAME TABLE elsewhere TO audit') if $way !~ /killed/;
        is role_of($ada), $was, "$way: the change is not there";
        ok wait_until(10, sub { rows() == $count }), '... nor its row';
    }
}
ok wait_until(20, sub { $roster->get('/users/', $admin)->{status} == 200 }), 'the service is back';

# ---- Verifying ----

sub chained () {
    return wait_until(20, sub { !($roster->sql('SELECT COUNT(*) FROM audit WHERE number IS NULL'))[0][0] });
}
ok chained(), 'all rows get a number';
my $verified = $roster->ctl('audit', 'verify');
is $verified->{status}, 0, 'nothing is wrong' or diag $verified->{out};
like $verified->{out}, qr/^one: rows 1 to \d+; the last hash is [0-9a-f]{64}$/m, '... and it tells the end';
is_deeply [grep { !defined } map { @$_{qw(number hash)} } rows()], [], 'each has its place';
is $roster->ctl('audit', 'verify', '--log', $log)->{status}, 0, '... and each line of the log its row';
$verified = $roster->ctl_json('audit', 'verify');
is_deeply $verified->{faults}, [], '... as JSON';
is $verified->{hosts}[0]{host}, 'one', '... with the host';
my @exported = map { $json->decode($_) } split /\n/, $roster->ctl('audit', 'export')->{out};
is @exported, rows(), 'all rows can be exported';
is $exported[-1]{hash}, $verified->{hosts}[0]{hash}, '... with what verifies them';

# What somebody with MariaDB's rights may try. Each is put back.
$roster->sql('CREATE TABLE audit_kept AS SELECT * FROM audit');
$roster->sql('CREATE TABLE head_kept AS SELECT * FROM audit_head');
my ($some, $next) = map { $_->{id} } (rows())[10, 11];
my ($last) = map { $_->{id} } (rows())[-1];
my $columns = join ', ', map { "`$_`" } grep { $_ ne 'id' } @columns;

sub finds ($name, $pattern, @statements) {
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    my $result;
    Roster::held_back(
        [$roster->housekeeper],
        sub {
            $roster->sql($_) for @statements;
            $result = $roster->ctl('audit', 'verify');
            $roster->sql($_)
                for 'DELETE FROM audit', 'INSERT INTO audit SELECT * FROM audit_kept', 'DELETE FROM audit_head',
                'INSERT INTO audit_head SELECT * FROM head_kept';
        });
    is $result->{status}, 1, "$name is found";
    like $result->{out}, $pattern, '... and where';
    return;
}
my $number = (rows('id = ?', $some))[0]{number};
finds(
    'a changed actor',
    qr/^one, row $some, number $number: its MAC is wrong/m,
    "UPDATE audit SET actor_id = 'x' WHERE id = $some");
finds(
    'a changed detail',
    qr/^one, row $some, number $number: its MAC is wrong/m,
    "UPDATE audit SET detail = '{}' WHERE id = $some");
finds(
    'a changed address',
    qr/^one, row $some, number $number: its MAC is wrong/m,
    "UPDATE audit SET address = '192.0.2.1' WHERE id = $some");
finds(
    'a changed MAC',
    qr/^one, row $some, number $number: its MAC is wrong/m,
    "UPDATE audit SET mac = REPEAT('0', 64) WHERE id = $some");
finds('a row that is removed', qr/^one, number $number: rows are missing/m, "DELETE FROM audit WHERE id = $some");
finds(
    'a removed row, and closed gap',
    qr/^one, row $next, number $number: its hash is wrong/m,
    "DELETE FROM audit WHERE id = $some",
    "UPDATE audit SET number = number - 1 WHERE number > $number ORDER BY number");
finds(
    'rows that are swapped',
    qr/^one, row $next, number $number: its hash is wrong/m,
    "UPDATE audit SET number = -1 WHERE id = $some",
    "UPDATE audit SET number = $number WHERE id = $next",
    "UPDATE audit SET number = $number + 1 WHERE id = $some");
finds(
    'an end that is cut off',
    qr/^one, number \d+: the last rows are missing/m,
    "DELETE FROM audit WHERE id >= $last - 2");
finds(
    'an end without its head',
    qr/^one, number \d+: audit_head tells of no end/m,
    "DELETE FROM audit WHERE id >= $last - 2",
    'DELETE FROM audit_head');
finds(
    'another end',
    qr/^one, number \d+: the MAC of audit_head is wrong/m,
    "DELETE FROM audit WHERE id = $last",
    'UPDATE audit_head SET number = number - 1, hash = (SELECT hash FROM audit ORDER BY number DESC LIMIT 1)');
finds(
    'a row that is made up',
    qr/^one, row \d+: its MAC is wrong/m,
    "INSERT INTO audit ($columns) SELECT " . $columns =~ s/`number`, `hash`/NULL, NULL/r =~
        s/`at`/`at` + 1/r . " FROM audit WHERE id = $some");
finds(
    'what was emptied',
    qr/^one, row $some, number $number: it was emptied/m,
    "UPDATE audit SET address = NULL, personal = NULL, salt = NULL WHERE id = $some");
finds('all of it', qr/^one, number 1: the last rows are missing/m, 'DELETE FROM audit');
is $roster->ctl('audit', 'verify')->{status}, 0, 'as it was, nothing is wrong';

# A row that is removed before it has a number: the log tells.
Roster::held_back(
    [$roster->housekeeper],
    sub {
        my @rows = told(sub { $roster->ctl('user', 'role', $ada->{id}, 'user') });
        $roster->ctl('user', 'role', $ada->{id}, 'pending');
        $roster->sql('DELETE FROM audit WHERE number IS NULL AND id > ?', $last);
    });
is $roster->ctl('audit', 'verify')->{status}, 0, 'a row without a number leaves no gap';
my $compared = $roster->ctl('audit', 'verify', '--log', $log);
is $compared->{status}, 1, '... but a line in the log';
like $compared->{out}, qr/^\Q$log\E, number \d+: the row of this line is not there$/m, '... which has none';

# Where the end is gone, the chain goes on, and says so.
Roster::held_back([$roster->housekeeper], sub { $roster->sql('DELETE FROM audit_head') });
$roster->allow_log(qr/does not end as it was left/);
tells(sub { $roster->ctl('user', 'role', $ada->{id}, 'user') }, 'role_change ->ada', 'a change');
ok wait_until(20, sub { rows(q{action = 'audit_broken'}) }), 'the audit tells that its end was gone';
ok chained(), '... and goes on';
$verified = $roster->ctl('audit', 'verify');
is $verified->{status}, 1, '... so it is wrong for good';
like $verified->{out}, qr/^one, row \d+, number \d+: it tells that audit_head was gone/m, '... and why';
$roster->sql('DROP TABLE audit_kept, head_kept');
$roster->sql('TRUNCATE audit');
$roster->sql('DELETE FROM audit_head');

# ---- Reading ----

tells(
    sub { $roster->ctl('user', 'role', $ada->{id}, $_) for qw(pending user) },
    'role_change ->ada, role_change ->ada',
    'two changes');
$roster->sign_in('nobody@example.org', password => 'wrong password', client => '192.0.2.9');
$ada->{token} = $roster->new_session({email => 'ada@example.org', password => 'the fourth good one'});
my $page = $roster->call(audit => 200, as($admin))->{json};
is join(' ', map { $_->{action} } @{$page->{entries}}), 'sign_in sign_in_refused role_change role_change',
    'newest first';
is $page->{next}, undef, '... and no more';
is_deeply [@{$page->{entries}[0]}{qw(actor_id actor_email subject_name through)}],
    [$ada->{id}, 'ada@example.org', 'Ada', 'sign_in'],
    '... with present names';
is_deeply $page->{entries}[2]{detail}, {role => {from => 'pending', to => 'user'}}, '... and what was changed';
my $now = time;
for my $case (
    ["?action=role_change", 2],
    ["?person=$ada->{id}", 3],
    ["?actor=$ada->{id}", 1],
    ["?subject=$ada->{id}", 3],
    ['?address=192.0.2.9', 1],
    ['?since=' . ($now + 100), 0],
    ['?until=' . ($now - 1000), 0],
    ['?since=' . ($now - 1000), 4],
    ["?before=$page->{entries}[1]{id}", 2],
    ["?action=role_change&subject=nobody", 0])
{
    is @{$roster->call(audit => 200, query => $case->[0], as($admin))->{json}{entries}}, $case->[1], $case->[0];
}
$roster->call(audit => 'ACCESS_PROHIBITED', as($ada));
$roster->call(audit => 'VALIDATION_ERROR', query => '?action=nothing', as($admin));
$roster->call(user_disable => 200, in => {user_id => $ada->{id}}, as($admin)) for 1 .. 60;
my ($query, @ids) = '';
do {
    my $part = $roster->call(audit => 200, query => $query, as($admin))->{json};
    push @ids, map { $_->{id} } @{$part->{entries}};
    $query = defined $part->{next} ? "?before=$part->{next}" : undef;
} while (defined $query);
is_deeply \@ids, [reverse map { $_->{id} } rows()], 'page by page comes all, each once';
my $list = $roster->ctl_json('audit', 'list', '--person', 'ada@example.org', '--action', 'sign_in', '--since', '1h',
    '--count', '5');
is_deeply [map { [@$_{qw(action by subject through)}] } @$list],
    [['sign_in', 'ada@example.org', 'ada@example.org', 'sign_in']],
    'rosterctl lists it';
is scalar @{$roster->ctl_json('audit', 'list', '--actor', (rows())[0]{system_user}, '--address', '192.0.2.9')}, 0,
    '... with filters';
like $roster->ctl('audit', 'list', '--action', 'nothing')->{err}, qr/there is no `nothing'/,
    '... and knows which there are';

# ---- A flood of refused sign-ins ----

# Those that are refused before anybody looks at the password, too.
$roster->reconfigure(rate_limits => undef, rate_limit_sign_in => 1, rate_limit_password => 1);
my @of_day = (client => '192.0.2.99');
for my $case (['ada@example.org', 'sign_in_refused ->ada'], ['often@example.org', 'sign_in_refused ->-']) {
    my ($email, $expected) = @$case;
    my $try = sub { $roster->sign_in($email, password => 'wrong password', @of_day) };
    $try->() for 1, 2;    # a window may end between them
    my $refused;
    $row = tells(sub { $refused = $try->() }, $expected, "$email: too many sign-ins");
    is_problem $refused, 429, 'RATE_LIMIT_EXCEEDED', '... refused for that';
    is $row->{detail}{reason}, 'too many attempts', '... and told so';
    is $roster->access_line($refused)->{account}, $row->{detail}{account}, '... as in the access log';
}
my $late = $roster->add_user;
$name{$late->{id}} = 'late';
my $change = sub {
    $roster->post('/auths/update/password', $late,
        {password => 'wrong password', new_password => 'a good password, this'});
};
$change->() for 1, 2;
$row = tells($change, 'password_refused late>late', 'too many changes of a password');
is $row->{detail}{reason}, 'too many attempts', '... why';
$roster->reconfigure(
    audit_refusals => 3,
    rate_limits => 'no',
    rate_limit_sign_in => undef,
    rate_limit_password => undef);
ok chained(), 'all rows have a number';
my ($before) = map { $_->{id} } (rows())[-1];
$roster->sign_in("flood$_\@example.org", password => 'wrong password') for 1 .. 12;
sub refused () { return rows(q{id > ? AND action = 'sign_in_refused'}, $before) }
my @told = grep { defined $_->{detail}{reason} } refused();
cmp_ok scalar @told, '<=', 6, 'of twelve refusals within a minute, or two, only some are written';
ok wait_until(
    25,
    sub {
        my $sum = 0;
        $sum += defined $_->{detail}{reason} for refused();
        $sum += $_->{detail}{omitted_before} // 0 for refused();
        return $sum == 12;
    }
    ),
    '... and the number of the others, in the next minute';

# ---- Keeping ----

ok chained(), 'all rows have a number';
wait_until(10, sub { time > (rows())[-1]{at} + 2 });
my $count = rows();
$roster->reconfigure(audit_retention => '1s');
ok wait_until(20, sub { rows(q{action = 'audit_trim'}) && rows() < 5 }), 'what is too old goes';
my ($trim) = rows(q{action = 'audit_trim'});
is $trim->{detail}{rows}, $count, '... and the audit says how much';
$roster->reconfigure(audit_retention => undef);
ok chained(), 'what is left has its numbers';
$verified = $roster->ctl('audit', 'verify', '--log', $log);
is $verified->{status}, 0, '... and is verified, also with the log of what is gone' or diag $verified->{out};
finds_now(
    'DELETE FROM audit ORDER BY number LIMIT 1',
    qr/^one, number \d+: (?:the last )?rows are missing/m,
    'what goes besides is found');

sub finds_now ($statement, $pattern, $name) {
    my $result = Roster::held_back(
        [$roster->housekeeper],
        sub {
            $roster->sql('CREATE TABLE kept AS SELECT * FROM audit');
            $roster->sql($statement);
            my $result = $roster->ctl('audit', 'verify');
            $roster->sql($_) for 'DELETE FROM audit', 'INSERT INTO audit SELECT * FROM kept', 'DROP TABLE kept';
            return $result;
        });
    return like $result->{out}, $pattern, $name;
}

# ---- Two hosts ----

my $second = Roster->new(
    without => [qw(mariadb redis nginx)],
    config => {
        audit_host => 'two',
        secret_key_file => "$roster->{directory}/secret.key",
        database_password_file => "$roster->{directory}/database.password",
        database_socket => $roster->socket_path('mariadb'),
        redis_socket => $roster->socket_path('redis')
    });
is $second->ctl('user', 'role', $ada->{id}, $_)->{status}, 0, 'a change on another host' for qw(pending user);
is $roster->ctl('user', 'role', $ada->{id}, $_)->{status}, 0, '... and on this' for qw(pending user);
ok chained(), 'each host numbers its rows';
is_deeply [map { $_->{number} } rows(q{host = 'two'})], [1, 2], '... in a chain of its own';
$verified = $roster->ctl_json('audit', 'verify');
is_deeply [map { $_->{host} } @{$verified->{hosts}}], [qw(one two)], 'both are verified';
is_deeply $verified->{faults}, [], '... and good';
$second->stop;
$roster->ctl('user', 'role', $ada->{id}, 'pending');
is $second->ctl('user', 'role', $ada->{id}, 'user')->{status}, 0, 'a change where the service does not run';
like $roster->ctl('audit', 'verify')->{out}, qr/^two: 1 row has no number yet/m, '... waits for its number';
$roster->sql(q{DELETE FROM audit WHERE host = 'two' AND number = 2});
like $roster->ctl('audit', 'verify')->{out}, qr/^two, number 2: the last rows are missing/m,
    '... and the end of the chain is known';

# ---- No secret ----

my @secrets = grep { length >= 8 } keys %{$roster->{secrets}};
my $all = join "\n", map {
    join ' ',
        map { $_ // '' }
        @$_
} $roster->sql('SELECT * FROM audit');
is_deeply [grep { index($all . Roster::Database::slurp($log), $_) >= 0 } @secrets], [],
    'no secret is in it, nor in its log';
my %written = map { ($_->[0] => 1) } map { [m/audit=(\w+)/] } grep { /audit=/ } split /\n/,
    Roster::Database::slurp($log);
is_deeply [grep { !$written{$_->{name}} && $_->{name} ne 'import' }
        Roster::Tables::records('tables/audit.def', 'AUDIT_ACTION')], [],
    'each action was shown, and is in the log';
done_testing;
