# All that is held about a person is exported, and erased: nothing of it remains but that it was done.
use v5.36;

use JSON::PP ();
use MIME::Base64 ();
use Test::More;

use Roster;
use Roster::Pictures;
use Roster::Tables;

my $roster = Roster->new(config => {rate_limits => 'no', audit_host => 'one'});
my $admin = $roster->add_user(role => 'admin', created_at => 1_000_000);
my $mark = 'Hypatia';
my $email = 'hypatia@alexandria.example';

# An account with something in each table.
my $added = $roster->call(
    user_add => 200,
    token => $admin->{token},
    json => {name => $mark, email => $email, password => $Roster::PASSWORD, role => 'user'}
)->{json};
my $id = $added->{id};
my %person = (id => $id, email => $email, password => $Roster::PASSWORD, name => $mark, role => 'user');
$person{token} = $roster->new_session(\%person, client => '192.0.2.77');
$roster->change_settings($admin, ENABLE_API_KEYS => JSON::PP::true);
is $roster->post(
    '/users/default/permissions',
    $admin,
    do {
        my $all = $roster->get('/users/default/permissions', $admin)->{json};
        $all->{features}{api_keys} = JSON::PP::true;
        $all;
    }
)->{status}, 200, 'keys are allowed';
my $key = $roster->call(api_keys_create => 200, token => $person{token}, json => {name => 'a key'})->{json}{api_key};
$roster->secret($key);
my $group =
    $roster->call(group_create => 200, token => $admin->{token}, json => {name => 'Scholars', description => ''})
    ->{json};
$roster->call(
    group_users_add => 200,
    in => {group_id => $group->{id}},
    token => $admin->{token},
    json => {user_ids => [$id]});
is $roster->post('/users/user/info/update', \%person, {kept => "about $mark"})->{status}, 200, 'info';
$roster->sql(
    q{INSERT INTO oauth_session (id, user_id, provider, token, expires_at) VALUES ('o1', ?, 'google', 'a secret of google', 1)},
    $id);
$roster->secret('a secret of google');
$roster->sql(q{INSERT INTO chat (id, user_id, title, chat) VALUES ('c1', ?, 'A chat', ?)}, $id, qq{{"says": "$mark"}});
$roster->update_user($admin, \%person, {email => "old-$email"});
$roster->update_user($admin, \%person);
my $picture = png(8, 8);
is $roster->post('/auths/update/profile', \%person,
    {name => $mark, profile_image_url => data_uri($picture), bio => "I am $mark."})->{status}, 200, 'a picture';
my $address = $roster->get('/auths/', \%person)->{json}{profile_image_url};
like $address, qr{^/pictures/}, '... is stored';
$roster->sql(q{INSERT INTO one_time_link (user_id, purpose, hash, email, expires_at) VALUES (?, 'reset', ?, ?, 1)},
    $id, '0f' x 32, $email);
$roster->secret('0f' x 32);
$roster->sql('INSERT INTO second_factor (user_id, secret, enrolled_at) VALUES (?, ?, 1)',
    $id, $roster->secret('sealed secret'));
# Two mails: one of the account, and one of an address that somebody typed, which has no id.
for my $row ([$id, undef], [undef, $email]) {
    $roster->sql(
        q{INSERT INTO mail (kind, user_id, address, data, created_at) VALUES ('reset', ?, ?, '{"device":"x"}', 1)},
        @$row);
}
$roster->sign_in($email, password => 'wrong password', client => '192.0.2.77');

# ---- Export ----

sub check ($data, $name) {
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    is_deeply [sort keys %$data],
        [
        sort qw(exported_at pictures),
        map { $_->{name} } Roster::Tables::records('tables/persons.def', 'PERSON_TABLE')
        ],
        "$name: all kinds";
    is_deeply [grep { !@{$data->{$_}} } grep { ref $data->{$_} } sort keys %$data], [], '... each with something';
    is $data->{user}[0]{email}, $email, '... the account';
    is $data->{user}[0]{info}{kept}, "about $mark", '... with its documents';
    is MIME::Base64::decode_base64($data->{pictures}[0]{data}), $picture, '... the picture itself';
    is scalar @{$data->{mails}}, 2, '... mails by id and by address';
    is $data->{chats}[0]{chat}{says}, $mark, '... chats';
    ok((grep { $_->{action} eq 'email_change' && $_->{personal}{email}{to} eq $email } @{$data->{audit}}),
        '... the audit');
    my $text = JSON::PP->new->utf8->encode($data);
    is_deeply [grep { index($text, $_) >= 0 } grep { length > 7 } keys %{$roster->{secrets}}], [], '... and no secret';
    return;
}
check($roster->call(own_export => 200, token => $person{token})->{json}, 'a person');
check($roster->call(user_export => 200, in => {user_id => $id}, token => $admin->{token})->{json}, 'an administrator');
check($roster->ctl_json('user', 'export', $email), 'rosterctl');
is_deeply [map { "@$_" }
        $roster->sql(q{SELECT action, COALESCE(actor_id, '-') FROM audit WHERE action = 'user_export' ORDER BY id})],
    ["user_export $id", "user_export $admin->{id}", 'user_export -'], 'the audit tells of each';
$roster->call(user_export => 'USER_NOT_FOUND', in => {user_id => 'nobody'}, token => $admin->{token});
$roster->call(user_export => 'ACCESS_PROHIBITED', in => {user_id => $id}, token => $person{token});
$roster->call(own_export => 'SESSION_REQUIRED', token => $key);
is $roster->ctl('user', 'export', $email, '--csv')->{status}, 2, 'a person is not CSV';
is $roster->ctl('user', 'export', 'nobody@example.org')->{status}, 3, 'nobody is not exported';

# ---- Erasure ----

my $backup = "$roster->{directory}/backup.tar";
is $roster->ctl('backup', $backup)->{status}, 0, 'a backup';
$roster->call(user_erase => 'ACTION_PROHIBITED', in => {user_id => $admin->{id}}, token => $admin->{token});
$roster->call(user_erase => 'USER_NOT_FOUND', in => {user_id => 'nobody'}, token => $admin->{token});
$roster->call(user_erase => 200, in => {user_id => $id}, token => $admin->{token});
is $roster->get('/auths/', \%person)->{status}, 401, 'the session is over';
ok $roster->redis('EXISTS', 'open-webui:auth:token:' . Roster::claims_of($person{token})->{jti} . ':revoked'),
    '... in Redis, too';

# Each text and blob of each table.
sub remains ($what) {
    my @found;
    for my $row (
        $roster->sql(
            q{SELECT table_name, column_name FROM information_schema.columns WHERE table_schema = 'roster' AND
            data_type IN ('varchar', 'char', 'text', 'mediumtext', 'longtext', 'mediumblob', 'longblob')}))
    {
        push @found, "$row->[0].$row->[1]"
            if ($roster->sql("SELECT COUNT(*) FROM `$row->[0]` WHERE INSTR(`$row->[1]`, ?)", $what))[0][0];
    }
    return @found;
}
my ($hash) = $address =~ m{/([0-9a-f]{64})};
ok wait_until(20, sub { !remains($mark) && !remains('alexandria') }), 'neither name nor address is anywhere'
    or diag join ' ', remains($mark), remains('alexandria');
is_deeply [remains('192.0.2.77')], [], '... nor where they were';
is_deeply [remains($hash)], [], '... nor the picture';
is_deeply [grep { !/^(?:audit\.(?:actor_id|subject_id|object)|deleted_user\.id|revocation\.user_id)$/ } remains($id)],
    [],
    '... the id is in the audit alone, and for a day where the service forgets who was deleted';
ok((grep { $_->[0] eq 'user_erase' } $roster->sql('SELECT action FROM audit WHERE subject_id = ?', $id)),
    '... which tells of it');
is $roster->ctl('audit', 'verify')->{status}, 0, '... and can be verified as before';

# A backup from before brings nobody back.
is $roster->ctl('restore', $backup, '--replace', '--yes')->{status}, 0, 'a restore';
is_deeply [$roster->sql('SELECT id FROM user WHERE id = ?', $id)], [], '... does not bring the person back';
is_deeply [$roster->sql('SELECT id FROM chat')], [], '... nor a chat';
is_deeply [remains($mark), remains('alexandria'), remains($hash)], [], '... nor name, address or picture';

# By rosterctl, and who was deleted before.
my $zoe = $roster->call(
    user_add => 200,
    token => $admin->{token},
    json => {name => 'Zoe', email => 'zoe@example.org', password => $Roster::PASSWORD}
)->{json};
my $eve = $roster->call(
    user_add => 200,
    token => $admin->{token},
    json => {name => 'Eve', email => 'eve@example.org', password => $Roster::PASSWORD}
)->{json};
$roster->call(user_delete => 200, in => {user_id => $zoe->{id}}, token => $admin->{token});
ok scalar(remains('zoe@example.org')), 'the audit knows who was deleted';
my $erased = $roster->ctl('user', 'erase', $zoe->{id}, '--yes');
is $erased->{status}, 0, '... until they are erased' or diag $erased->{err};
ok wait_until(20, sub { !remains('zoe@example.org') }), '... then it does not';
like $roster->ctl('user', 'erase', 'eve@example.org', '--yes')->{out}, qr/^Erased Eve <eve\@example\.org>\. Backups/,
    'by address';
ok wait_until(20, sub { !remains('eve@example.org') }), '... too';
is $roster->ctl('user', 'erase', 'nobody', '--yes')->{status}, 3, 'nobody is not erased';
is $roster->ctl('audit', 'verify')->{status}, 0, 'the audit is whole';
done_testing;
