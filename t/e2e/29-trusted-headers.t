# Trusted headers: a proxy in front has signed somebody in already. Who is believed, accounts at first sight, and
# groups.
use v5.36;
use utf8;

use Encode ();
use Test::More;
use Roster;

binmode Test::More->builder->$_, ':encoding(UTF-8)' for qw(output failure_output);

my %trusted = (
    trusted_email_header => 'X-Forwarded-Email',
    trusted_name_header => 'X-Forwarded-Name',
    trusted_groups_header => 'X-Forwarded-Groups');
my %config = (
    %trusted,
    trusted_proxies => '198.51.100.0/24 203.0.113.7 2001:db8:1::/48',
    rate_limits => 'no',
    last_active_interval => '1d');
my $roster = Roster->new(config => \%config);
my $admin = $roster->add_user(role => 'admin', created_at => 1_000_000);
my $proxy = '198.51.100.7';

# A sign-in with these header fields: email, name, groups; an array sends one several times. Options: client.
sub enter ($fields, %options) {
    my %name = (email => 'X-Forwarded-Email', name => 'X-Forwarded-Name', groups => 'X-Forwarded-Groups');
    my @headers = map {
        my $key = $_;
        map { ($name{$key} => Encode::encode('UTF-8', $_)) } ref $fields->{$key} ? @{$fields->{$key}} : $fields->{$key}
    } sort keys %$fields;
    return $roster->sign_in('', password => '', headers => \@headers, client => $proxy, %options);
}

sub people () { return scalar $roster->sql('SELECT COUNT(*) FROM user') }

sub groups_of ($id) {
    return join ' ',
        map { join ':', @$_ } $roster->sql(
        'SELECT g.name, m.source FROM group_member m JOIN `group` g ON g.id = m.group_id '
            . 'WHERE m.user_id = ? ORDER BY g.name',
        $id);
}

subtest 'somebody who has an account' => sub {
    my $user = $roster->add_user(email => 'Somebody@Example.org', name => 'Somebody');
    for my $email ('Somebody@Example.org', 'SOMEBODY@EXAMPLE.ORG', ' somebody@example.org ') {
        my $answer = enter({email => $email, name => 'Another name'});
        is $answer->{status}, 200, "'$email'" or diag $answer->{body};
        is_deeply [@{$answer->{json}}{qw(id email name role token_type)}], [@$user{qw(id email name role)}, 'Bearer'],
            'is signed in; the name is for new accounts alone';
        like $answer->{set_cookie}[0], qr/^token=\Q$answer->{json}{token}\E; /, 'with the cookie';
        is $roster->get('/auths/', $answer->{json}{token})->{json}{id}, $user->{id}, 'and the token works';
    }
    is enter({email => 'somebody@example.org'}, json => {email => $admin->{email}, password => $admin->{password}})
        ->{json}{id}, $user->{id}, 'what the body says does not matter';
    is_problem $roster->request(
        POST => '/auths/signin',
        headers => ['X-Forwarded-Email' => 'somebody@example.org'],
        client => $proxy
        ),
        422, 'VALIDATION_ERROR', 'but there must be one';
    $roster->sql('UPDATE auth SET active = 0 WHERE id = ?', $user->{id});
    is_problem enter({email => 'somebody@example.org'}), 400, 'INVALID_CRED', 'not one that is switched off';
};

subtest 'who is believed' => sub {
    my $user = $roster->add_user;
    my $count = people();
    for my $client ('198.51.100.0', '198.51.100.255', '203.0.113.7', '2001:db8:1::5', '2001:db8:1:ffff::',
        '::ffff:198.51.100.9')
    {
        is enter({email => $user->{email}}, client => $client)->{status}, 200, "$client is a proxy";
    }
    unlike $roster->log_text, qr/trusted_proxies/, 'nothing of this is in the log';
    for my $client ('127.0.0.1', '198.51.101.1', '203.0.113.8', '2001:db8:2::1', '::1', '::ffff:203.0.113.8') {
        is_problem enter({email => $user->{email}}, client => $client), 400, 'INVALID_TRUSTED_HEADER',
            "$client is none";
        is_problem enter({email => 'stranger@example.org'}, client => $client), 400, 'INVALID_TRUSTED_HEADER',
            "$client creates nobody";
    }
    my $lines = () = $roster->log_text =~ /\[warning\].*trusted_proxies.*client: 127\.0\.0\.1/g;
    is $lines, 1, 'the log says that they were ignored, and who sent them';
    $lines = () = $roster->log_text =~ /trusted_proxies/g;
    cmp_ok $lines, '<=', 3, 'a line now and then';
    is_problem enter({}), 400, 'INVALID_TRUSTED_HEADER', 'a proxy that sends none';
    is_problem enter({email => $_}), 400, 'INVALID_TRUSTED_HEADER', "or an empty one" for '', '   ';
    is_problem enter({name => 'Somebody', groups => 'x'}), 400, 'INVALID_TRUSTED_HEADER', 'or the others alone';
    is_problem enter({email => $_}), 400, 'INVALID_EMAIL_FORMAT', "'$_' is no email address"
        for 'x', 'x@y', '@example.org', 'a b@example.org', 'a@example.org, b@example.org', 'x' x 300 . '@example.org';
    is_problem enter({email => [$user->{email}, $admin->{email}]}), 400, 'INVALID_EMAIL_FORMAT',
        'sent twice: neither counts';
    is_problem $roster->sign_in(
        '',
        password => '',
        headers => ['X_Forwarded_Email' => $admin->{email}],
        client => $proxy
        ),
        400,
        'INVALID_TRUSTED_HEADER', 'a field of nearly that name';
    is_problem $roster->sign_in(
        '',
        password => '',
        headers => ['X-Forwarded-Email' => "\xff\xfe\@example.org"],
        client => $proxy
        ),
        400,
        'INVALID_EMAIL_FORMAT', 'no UTF-8';
    is_problem $roster->sign_in(
        '',
        password => '',
        headers => ['X-Forwarded-For' => $proxy, 'X-Real-IP' => $proxy, 'X-Forwarded-Email' => $admin->{email}]
        ),
        400, 'INVALID_TRUSTED_HEADER', 'header fields make nobody a proxy';
    is people(), $count, 'nobody was created';
};

subtest 'accounts at first sight' => sub {
    my $answer = enter({email => 'New.Person@Example.org', name => 'Nëw Person'});
    is $answer->{status}, 200, 'somebody new' or diag $answer->{body};
    my $new = $answer->{json};
    is_deeply [@$new{qw(email name role profile_image_url)}],
        ['new.person@example.org', 'Nëw Person', 'pending', '/user.png'], 'has an account of the default role';
    is enter({email => 'NEW.person@example.org', name => 'Else'})->{json}{id}, $new->{id},
        'the second time it is the same';
    is $roster->sql('SELECT name FROM user WHERE id = ?', $new->{id}), 'Nëw Person', 'with the same name';
    my %names = (
        'A%20B' => 'A B',
        'J%C3%B6rg' => 'Jörg',
        'a+b' => 'a+b',
        '100%' => '100%',
        '%zz%4' => '%zz%4',
        '%ff' => '%ff',
        'x%00' => 'x%00',
        '%25' => '%',
        'Nëw%21' => 'Nëw!',
        '%20' => 'encoded9@example.org');
    my $encoded = 0;
    is enter({email => 'encoded' . $encoded++ . '@example.org', name => $_})->{json}{name}, $names{$_}, "the name $_"
        for sort { $b cmp $a } keys %names;
    is enter({email => 'nameless@example.org'})->{json}{name}, 'nameless@example.org',
        'without a name the email stands for it';
    is enter({email => 'nameless2@example.org', name => '  '})->{json}{name}, 'nameless2@example.org',
        'or where it is empty';
    is enter({email => 'long@example.org', name => 'ü' x 300})->{json}{name}, 'ü' x 255, 'a long name is cut';
    $answer = $roster->sign_in(
        '',
        password => '',
        client => $proxy,
        headers => ['X-Forwarded-Email' => 'bytes@example.org', 'X-Forwarded-Name' => "J\xf6rg"]);
    is $answer->{json}{name}, 'Jörg', 'one that is no UTF-8 is Latin-1';

    my $group = $roster->post('/groups/create', $admin, {name => 'Newcomers', description => ''})->{json};
    my $before = $roster->change_settings($admin, DEFAULT_USER_ROLE => 'user', DEFAULT_GROUP_ID => $group->{id});
    $answer = enter({email => 'third@example.org'});
    is $answer->{json}{role}, 'user', 'the default role';
    is groups_of($answer->{json}{id}), 'Newcomers:manual', 'and group apply';
    $roster->change_settings($admin, %$before, ENABLE_SIGNUP => JSON::PP::false);
    my $count = people();
    is_problem enter({email => 'fourth@example.org'}), 403, 'ACCESS_PROHIBITED', 'nobody new while sign-up is off';
    is people(), $count, 'there is no account';
    is enter({email => 'third@example.org'})->{status}, 200, 'others sign in all the same';
    $roster->change_settings($admin, %$before);

    my $twin = $roster->add_user(email => 'jorg@example.org');
    is_problem enter({email => 'ｊorg@example.org'}), 400, 'EMAIL_TAKEN',
        'an address that looks like another one is not let in as that';
};

subtest 'thirty at once' => sub {
    my $request = Roster::Http::compose(
        POST => '/auths/signin',
        json => {email => '', password => ''},
        headers => ['X-Forwarded-Email' => 'many@example.org', 'X-Forwarded-Name' => 'Many']);
    my @answers = $roster->all_at_once({client => $proxy}, ($request) x 30);
    my %outcomes = map { (in_short($_) => 1) } @answers;
    is_deeply [keys %outcomes], ['200'], 'all are signed in' or diag explain \%outcomes;
    is $roster->sql(q{SELECT COUNT(*) FROM user WHERE email = 'many@example.org'}), 1, 'with one account';
};

subtest 'groups' => sub {
    my %id =
        map {
        my $name = $_;
        ($name => $roster->post('/groups/create', $admin, {name => $name, description => ''})->{json}{id})
        } 'Staff', 'Ops', 'By hand', 'Ünï';
    my $user = $roster->add_user;
    my $sync =
        sub ($groups) { return enter({email => $user->{email}, defined $groups ? (groups => $groups) : ()})->{status} };
    is $roster->post("/groups/id/$id{'By hand'}/users/add", $admin, {user_ids => [$user->{id}]})->{status}, 200,
        'somebody is in a group by hand';
    is $sync->('Staff, Ops ,nothing,, Ünï,Staff'), 200, 'a sign-in with groups';
    is groups_of($user->{id}), 'By hand:manual Ops:header Staff:header Ünï:header',
        'those that there are are joined, that set by hand stays';
    is $roster->sql(q{SELECT COUNT(*) FROM `group` WHERE name = 'nothing'}), 0, 'no group is made';
    is_deeply [sort map { $_->{name} } @{$roster->get("/users/$user->{id}/groups", $admin)->{json}}],
        ['By hand', 'Ops', 'Staff', 'Ünï'], 'lists show them';
    is $sync->('Staff'), 200, 'fewer groups';
    is groups_of($user->{id}), 'By hand:manual Staff:header', 'those that are not named any more are left';
    is $sync->('staff'), 200, 'in another case';
    is groups_of($user->{id}), 'By hand:manual', 'it is another group';
    $sync->('Staff,By hand');
    is groups_of($user->{id}), 'By hand:manual Staff:header',
        'who is in a group by hand and by header is in it once, by hand';
    is $sync->(undef), 200, 'no field';
    is groups_of($user->{id}), 'By hand:manual Staff:header', 'changes nothing';
    is $sync->(''), 200, 'an empty one';
    is groups_of($user->{id}), 'By hand:manual', 'means none';
    is $sync->(['Staff', 'Ops']), 200, 'two fields';
    is groups_of($user->{id}), 'By hand:manual Ops:header Staff:header', 'are one list';
    is enter({email => $user->{email}, groups => ''}, client => '192.0.2.1')->{status}, 400, 'from anywhere else';
    is groups_of($user->{id}), 'By hand:manual Ops:header Staff:header', 'nothing changes';
    is $sync->('Staff,' . join(',', map { "group $_" } 1 .. 1000)), 200, 'a thousand of them';
    is groups_of($user->{id}), 'By hand:manual Staff:header', 'most of which are unknown';
    is $sync->('x' x 5000), 200, 'a long one';
    is enter({email => $admin->{email}, groups => 'Staff'})->{status}, 200, 'an administrator';
    is groups_of($admin->{id}), '', 'is in no group but by hand';
    $roster->sql('UPDATE `group` SET updated_at = 1000');
    my $changed = sub () {
        join ' ', map { $_->[0] } $roster->sql('SELECT name FROM `group` WHERE updated_at > 1000 ORDER BY name');
    };
    $sync->('Ops');
    is $changed->(), 'Ops', 'a group that is joined has changed';
    $roster->sql('UPDATE `group` SET updated_at = 1000');
    $sync->('Ops');
    is $changed->(), '', 'once';
    $sync->('x');
    is $changed->(), 'Ops', 'as has one that is left';
    is_deeply [
        groups_of($user->{id}),
        enter({email => 'member@example.org', groups => 'Ops'})->{status},
        groups_of($roster->sql(q{SELECT id FROM user WHERE email = 'member@example.org'}) // '')
        ],
        ['By hand:manual', 200, 'Ops:header'], 'somebody new joins at once';

    is $roster->post("/groups/id/$id{Ops}/update", $admin,
        {name => 'Ops', description => '', permissions => {chat => {temporary_enforced => JSON::PP::true}}})->{status},
        200, 'a group that gives something';
    my $plain = enter({email => $user->{email}, groups => 'Staff'})->{json};
    ok !$plain->{permissions}{chat}{temporary_enforced}, 'who is not in it does not have it';
    my $member = enter({email => $user->{email}, groups => 'Ops'})->{json};
    ok $member->{permissions}{chat}{temporary_enforced}, 'who joins by the header has it in the same answer';
    ok $roster->get('/users/permissions', $plain->{token})->{json}{chat}{temporary_enforced}, 'and in each further one';

    my $request = Roster::Http::compose(
        POST => '/auths/signin',
        json => {email => '', password => ''},
        headers => ['X-Forwarded-Email' => $user->{email}, 'X-Forwarded-Groups' => 'Staff,Ops,Ünï']);
    my %outcomes =
        map { (in_short($_) => 1) }
        $roster->all_at_once({client => $proxy}, map { $_ % 2 ? $request : $request =~ s/Staff,Ops/Ops/r } 1 .. 20);
    is_deeply [keys %outcomes], ['200'], 'twenty sign-ins at once with different groups' or diag explain \%outcomes;
};

subtest 'names of people and groups in other shapes' => sub {
    my $number = 0;
    my $raw = sub (%fields) {
        my $email = 'shape' . ++$number . '@example.org';
        my $answer =
            $roster->sign_in('', password => '', client => $proxy, headers => ['X-Forwarded-Email' => $email, %fields]);
        return $answer->{json};
    };
    for my $case (
        ["J\xf6rg M\xfcller", 'Jörg Müller'],
        [Encode::encode('UTF-8', 'Jörg Müller'), 'Jörg Müller'],
        ['J%C3%B6rg', 'Jörg'],
        ['=?UTF-8?B?SsO2cmc=?=', 'Jörg'],
        ['=?ISO-8859-1?Q?J=F6rg_M=FCller?=', 'Jörg Müller'],
        ['=?utf-8?q?J=C3=B6rg?= =?utf-8?q?_M=C3=BCller?=', 'Jörg Müller'],
        ["Zo\xeb \x80", 'Zoë €'],
        ['=?KOI8-R?B?SsO2?=', '=?KOI8-R?B?SsO2?='])
    {
        is $raw->('X-Forwarded-Name' => $case->[0])->{name}, $case->[1],
            "$case->[1]: " . ($case->[0] =~ s/([^ -~])/sprintf '\\x%02x', ord $1/egr);
    }
    $roster->post('/groups/create', $admin, {name => $_, description => ''})
        for 'Räte', 'R&D; Labs', 'R&D', 'Labs', 'One|Two', 'One';
    my $groups = sub ($list) { my $json = $raw->('X-Forwarded-Groups' => $list); return groups_of($json->{id}) };
    is $groups->("R\xe4te"), 'Räte:header', 'a group in Latin-1';
    is $groups->('=?UTF-8?B?UsOkdGU=?='), 'Räte:header', 'in an encoded word';
    is $groups->('=?UTF-8?Q?R=C3=A4te,Labs?='), 'Labs:header Räte:header', 'a list in one';
    is $groups->('Labs;One'), 'Labs:header One:header', 'semicolons';
    is $groups->('Labs | One'), 'Labs:header One:header', 'bars';
    is $groups->('Labs, R&D; Labs'), 'Labs:header R&D; Labs:header', 'where there is a comma, nothing else separates';
    is $groups->('R&D; Labs'), 'R&D; Labs:header', 'a group whose name is the whole field';
    is $groups->('One|Two'), 'One|Two:header', '... is no list';
    is $groups->('r&d; labs'), '', 'in another case it is none, and its parts are others, too';
    $roster->reconfigure(trusted_groups_separator => ';');
    is $groups->('Labs;One|Two;x,y'), 'Labs:header One|Two:header', 'a separator that is configured';
    is $groups->('R&D; Labs'), 'Labs:header R&D:header', '... always separates';
    is_deeply groups_of(enter({email => 'two.fields@example.org', groups => ['Labs;One', 'R&D']})->{json}{id}),
        'Labs:header One:header R&D:header', 'two fields are one list all the same';
    $roster->reconfigure(trusted_groups_separator => undef, trusted_header_encoding => 'utf8');
    is $raw->('X-Forwarded-Name' => "J\xf6rg")->{name}, "shape$number\@example.org", 'utf8: what is none is no name';
    is $groups->("R\xe4te"), '', 'and no group';
    $roster->reconfigure(trusted_header_encoding => 'latin1');
    is $raw->('X-Forwarded-Name' => "J\xc3\xb6rg")->{name}, 'JÃ¶rg', 'latin1: nothing else';
    $roster->reconfigure(trusted_header_encoding => undef);
};

subtest 'other requests' => sub {
    my $session = enter({email => 'third@example.org'})->{json};
    my $ask = sub ($email, $client) {
        return $roster->get(
            '/auths/', $session,
            headers => [defined $email ? ('X-Forwarded-Email' => $email) : ()],
            client => $client);
    };
    is $ask->('THIRD@example.org', $proxy)->{status}, 200, 'the same person';
    is $ask->(undef, $proxy)->{status}, 200, 'nobody named';
    is_problem $ask->($admin->{email}, $proxy), 401, 'INVALID_TOKEN', 'somebody else: the session is not theirs';
    is $ask->($admin->{email}, '192.0.2.1')->{status}, 200, 'from anywhere else the field means nothing';
    is_problem $roster->post('/auths/update/password', $session,
        {password => 'x', new_password => 'a password of some length'}),
        400, 'ACTION_PROHIBITED', 'passwords are not for here';
    is_problem $roster->sign_in($admin), 400, 'INVALID_TRUSTED_HEADER', 'nobody signs in with one';
    is_problem $roster->request(
        GET => '/users/',
        headers => ['X-Forwarded-Email' => $admin->{email}],
        client => $proxy
        ),
        401, 'NOT_AUTHENTICATED', 'the field alone is no session';
};

subtest 'without trusted headers' => sub {
    my %old = map { ($_ => 1) } $roster->workers;
    $roster->configure(config => {rate_limits => 'no'});
    $roster->process('roster')->signal('HUP');
    ok wait_until(
        15,
        sub {
            my @now = $roster->workers;
            @now == 5 && !grep { $old{$_} } @now;
        }
        ),
        'the configuration is another one';
    is_problem enter({email => 'third@example.org'}, json => {email => 'third@example.org', password => $_}), 400,
        'INVALID_CRED', 'an account of the proxy has no password'
        for '', 'x', $Roster::PASSWORD;
    is enter({email => 'third@example.org'}, json => {email => $admin->{email}, password => $admin->{password}})
        ->{json}{id}, $admin->{id}, 'the field means nothing now';
};
$roster->finish;

# ---- The first account of all ----

$roster = Roster->new(config => \%config, api => {workers => 4});
subtest 'the first person, thirty times at once' => sub {
    my $request = Roster::Http::compose(
        POST => '/auths/signin',
        json => {email => '', password => ''},
        headers => ['X-Forwarded-Email' => 'first@example.org']);
    # Held back until all workers have seen that there is nobody yet.
    my $beside = Roster::Database->connect($roster->socket_path('mariadb'));
    $beside->run('START TRANSACTION');
    $beside->run('SELECT number FROM schema_migration FOR UPDATE');
    my @sockets =
        map { my $socket = $roster->open_connection(client => $proxy); syswrite $socket, $request; $socket } 1 .. 30;
    ok $roster->wait_statement('schema_migration.*FOR UPDATE$', 3), 'all workers wait';
    $beside->run('ROLLBACK');
    $beside->disconnect;
    my %outcomes = map { (in_short(Roster::Http::exchange($_, '')) => 1) } @sockets;
    is_deeply [keys %outcomes], ['200'], 'all are signed in' or diag explain \%outcomes;
    is_deeply [$roster->sql('SELECT email, role FROM user')], [['first@example.org', 'admin']],
        'one account, the administrator';
    is_problem enter({email => 'second@example.org'}), 403, 'ACCESS_PROHIBITED', 'which has closed sign-up';
};

done_testing;
