# rosterctl import open-webui: accounts come over from a SQLite file as the other program has it: what comes, what does
# not, and what people can do then.
use v5.36;
use utf8;

use Digest::SHA 'sha256_hex';
use IPC::Open2 ();
use Test::More;
use Roster;
use Roster::Import;
use Roster::Pictures;

binmode Test::More->builder->$_, ':encoding(UTF-8)' for qw(output failure_output);

my $sqlite = $Roster::Import::sqlite // plan skip_all => 'sqlite3 is not installed';
my $json = JSON::PP->new->utf8->canonical;
my $plain = JSON::PP->new;    # of characters, as sql() gives them
my $files = files();
my $now = time;

# ---- The other program's file ----

# Tables as release 0.6.42 has them.
my $schema = <<'SQL';
    CREATE TABLE user (id VARCHAR NOT NULL PRIMARY KEY, email VARCHAR, username VARCHAR(50), role VARCHAR,
        name VARCHAR, profile_image_url TEXT,
        profile_banner_image_url TEXT, bio TEXT, gender TEXT, date_of_birth DATE, timezone VARCHAR,
        presence_state VARCHAR, status_emoji VARCHAR, status_message TEXT,
        status_expires_at BIGINT, info JSON, settings JSON, oauth JSON, last_active_at BIGINT, updated_at BIGINT,
        created_at BIGINT);
    CREATE TABLE auth (id VARCHAR NOT NULL PRIMARY KEY, email VARCHAR, password TEXT, active BOOLEAN);
    CREATE TABLE "group" (id TEXT NOT NULL PRIMARY KEY, user_id TEXT, name TEXT, description TEXT, data JSON,
        meta JSON, permissions JSON, created_at BIGINT, updated_at BIGINT);
    CREATE TABLE group_member (id TEXT NOT NULL PRIMARY KEY, group_id TEXT NOT NULL, user_id TEXT NOT NULL,
        created_at BIGINT, updated_at BIGINT);
    CREATE TABLE api_key (id TEXT NOT NULL PRIMARY KEY, user_id TEXT NOT NULL, key TEXT NOT NULL UNIQUE, data JSON,
        expires_at BIGINT, last_used_at BIGINT,
        created_at BIGINT NOT NULL, updated_at BIGINT NOT NULL);
    CREATE TABLE oauth_session (id TEXT NOT NULL PRIMARY KEY, user_id TEXT NOT NULL, provider TEXT NOT NULL,
        token TEXT NOT NULL, expires_at BIGINT NOT NULL,
        created_at BIGINT NOT NULL, updated_at BIGINT NOT NULL);
    CREATE TABLE chat (id VARCHAR NOT NULL PRIMARY KEY, user_id VARCHAR, title TEXT, chat JSON, created_at BIGINT,
        updated_at BIGINT, share_id TEXT UNIQUE, archived BOOLEAN,
        pinned BOOLEAN, meta JSON DEFAULT '{}', folder_id TEXT);
    CREATE TABLE config (id INTEGER NOT NULL PRIMARY KEY, data JSON NOT NULL, version INTEGER NOT NULL,
        created_at DATETIME DEFAULT CURRENT_TIMESTAMP NOT NULL,
        updated_at DATETIME);
    CREATE TABLE tag (id VARCHAR NOT NULL PRIMARY KEY);
SQL

# ---- Calling it ----

my $roster;

# Everything that is in the tables.
sub snapshot () {
    $roster->settle;
    return $json->encode([
        map {
            my $table = $_;
            [$table, map { [map { $_ // 'null' } @$_] } $roster->sql("SELECT * FROM `$table` ORDER BY 1")]
        } qw(user auth group group_member api_key oauth_session chat config session picture)
    ]);
}

# ---- A site that moves in ----

$roster = import_into(Roster->new(config => {rate_limits => 'no'}));

my $png = png(more => '');
my $uri = data_uri($png);
my $address = picture_address($png);
my $key = $roster->secret('sk-' . 'a1' x 16);
my $oauth_token = $roster->secret('gAAAAAB-oauth-token-of-the-other-program');
my $permissions = {
    features => {api_keys => JSON::PP::true},
    chat => {delete => JSON::PP::false},
    workspace => {models => JSON::PP::true},
    own => {thing => JSON::PP::true}
};

my @site = (
    $schema,
    user('root', role => 'admin', email => 'Root@Example.org', created_at => 1_600_000_000),
    user(
        'ada',
        name => "Ada Ünal \x{1f600}",
        profile_image_url => $uri,
        bio => 'Counts.',
        gender => 'female',
        date_of_birth => '1815-12-10',
        username => 'ada',
        timezone => 'Europe/Vienna',
        status_emoji => "\x{1f600}",
        status_message => 'here',
        status_expires_at => 1_900_000_000,
        info => {a => 1},
        settings => {ui => {theme => 'dark'}},
        oauth => {google => {sub => '12'}},
        presence_state => 'away'
    ),
    user('bob', settings => 'null', info => 'null', profile_image_url => 'https://pictures.example.org/bob.png'),
    user('carol', role => 'pending', settings => {memory => JSON::PP::true}, password => undef),
    insert(
        group => id => 'g1',
        user_id => 'root',
        name => 'Staff',
        description => 'All',
        data => {config => {share => JSON::PP::true}},
        meta => undef,
        permissions => $permissions,
        created_at => 1_700_000_000,
        updated_at => 1_700_000_000
    ),
    insert(
        group => id => 'g2',
        user_id => 'gone',
        name => 'Empty',
        description => '',
        data => 'null',
        meta => 'null',
        permissions => 'null',
        created_at => 1_700_000_001,
        updated_at => 1_700_000_001
    ),
    (
        map {
            insert(
                group_member => id => "m-$_",
                group_id => 'g1',
                user_id => $_,
                created_at => 1_700_000_002,
                updated_at => 1_700_000_002)
        } qw(ada bob)
    ),
    insert(
        api_key => id => 'key_ada',
        user_id => 'ada',
        key => $key,
        created_at => 1_700_000_003,
        updated_at => 1_700_000_003
    ),
    insert(
        oauth_session => id => 'o1',
        user_id => 'ada',
        provider => 'google',
        token => $oauth_token,
        expires_at => 1_900_000_000,
        created_at => 1_700_000_004,
        updated_at => 1_700_000_004
    ),
    insert(
        chat => id => 'c1',
        user_id => 'ada',
        title => 'Notes',
        chat => {messages => ['secret words']},
        created_at => 1_700_000_005,
        updated_at => 1_700_000_006,
        share_id => 's1',
        archived => 0,
        pinned => 1,
        meta => {tags => ['x']},
        folder_id => 'f'
    ),
    insert(
        chat => id => 's1',
        user_id => 'shared-c1',
        title => 'Notes',
        chat => {messages => ['secret words']},
        created_at => 1_700_000_005,
        updated_at => 1_700_000_006
    ),
    insert(
        chat => id => 'c2',
        user_id => 'bob',
        title => 'Own',
        chat => {},
        created_at => 1_700_000_005,
        updated_at => 1_700_000_006,
        archived => 1
    ),
    insert(
        config => id => 1,
        data => {
            ui => {enable_signup => JSON::PP::false, default_user_role => 'user', default_models => 'm'},
            auth => {enable_api_keys => JSON::PP::true, jwt_expiry => '7d'},
            openai => {api_keys => ['kept']},
            user => {permissions => {chat => {export => JSON::PP::false}, features => {api_keys => JSON::PP::false}}}
        },
        version => 0,
        created_at => '2024-01-01 10:00:00',
        updated_at => '2024-02-01 10:00:00'
    ));
my $site = file('site', @site);
my $before = snapshot();
my $site_bytes = Roster::Database::slurp($site);

my $dry = import_file($site, '--dry-run');
is $dry->{status}, 0, 'a dry run' or diag $dry->{out};
adds_up $dry, 'a dry run';
is snapshot(), $before, '... changes nothing';

my $result = import_file($site);
is $result->{status}, 0, 'the import' or diag $result->{out};
adds_up $result, 'the import';
is_deeply $result->{report}{tables}, $dry->{report}{tables}, '... does what the dry run said';
is_deeply $result->{report}{findings}, [], '... and has nothing to complain about';
is numbers($result, 'user'), '4 4 0 0 0 4', '... users';
is numbers($result, 'auth'), '3 3 0 0 0 3', '... passwords';
is numbers($result, 'chat'), '3 3 0 0 0 3', '... chats';
is Roster::Database::slurp($site), $site_bytes, 'the file is as it was';
is_deeply [glob "$files/site.db?*"], [], 'and nothing lies beside it';

# What came.
my ($ada) = $roster->rows('SELECT * FROM user WHERE id = ?', 'ada');
is_deeply [
    @{$ada}{qw(
        name bio gender date_of_birth username timezone status_emoji status_message status_expires_at
        presence_state profile_image_url last_active_at updated_at
    )}
    ],
    [
    "Ada Ünal \x{1f600}",
    'Counts.',
    'female',
    '1815-12-10',
    'ada',
    'Europe/Vienna',
    "\x{1f600}",
    'here',
    1_900_000_000,
    'away',
    $address,
    1_700_000_500,
    1_700_000_000
    ],
    'a user, column by column';
is_deeply [map { $plain->decode($ada->{$_}) } qw(info settings oauth)],
    [{a => 1}, {ui => {theme => 'dark'}}, {google => {sub => '12'}}], '... and their JSON';
is_deeply [$roster->sql('SELECT settings, info FROM user WHERE id = ?', 'bob')], [[undef, undef]], 'JSON null is NULL';
is_deeply $plain->decode(scalar $roster->sql('SELECT settings FROM user WHERE id = ?', 'carol')),
    {memory => JSON::PP::true, ui => {}}, 'settings have `ui`';
is $roster->sql('SELECT email FROM user WHERE id = ?', 'root'), 'root@example.org', 'email addresses are in lower case';
is $roster->sql('SELECT email FROM auth WHERE id = ?', 'root'), 'root@example.org', '... in both tables';
is $roster->sql('SELECT COUNT(*) FROM user WHERE sessions_ended_at IS NOT NULL'), 0, 'no session has ended';
is_deeply [
    $roster->sql('SELECT hash, type, width, height, bytes = ? FROM picture', $png =~ /\A[\x20-\x7e]*\z/ ? $png : 'x')
]->[0][1], 'png', 'the picture has its table';
is_deeply [$roster->sql('SELECT id, user_id, `key`, suffix, is_primary FROM api_key')],
    [['key_ada', 'ada', 'sha256:' . sha256_hex($key), substr($key, -4), 1]], 'of a key, the hash';
is $roster->sql('SELECT token FROM oauth_session'), $oauth_token, 'an OAuth session';
is_deeply [
    $roster->sql(
        'SELECT id, user_id, owner_id, title, chat, share_id, archived, pinned, folder_id FROM chat ORDER BY id')
    ],
    [
    ['c1', 'ada', 'ada', 'Notes', undef, 's1', 0, 1, 'f'],
    ['c2', 'bob', 'bob', 'Own', undef, undef, 1, undef, undef],
    ['s1', 'shared-c1', undef, 'Notes', undef, undef, undef, undef, undef]
    ],
    'chats, without what was said';
is_deeply $plain->decode(scalar $roster->sql('SELECT data FROM config'))->{openai}, {api_keys => ['kept']},
    'settings that we do not know stay';

# What people can do.
is_problem $roster->sign_in('ada@example.org', password => 'wrong password'), 400, 'INVALID_CRED', 'a wrong password';
my $session = $roster->sign_in('ADA@example.org');
is $session->{status}, 200, 'the old password signs in' or diag $session->{body};
like $roster->sql('SELECT password FROM auth WHERE id = ?', 'ada'), qr/^\$s1\$/, '... and is hashed anew';
my $root_session = $roster->sign_in('root@example.org');
is $root_session->{json}{role}, 'admin', 'the administrator';
my $root = $root_session->{json}{token};
my $old_token = $roster->jwt({id => 'ada', jti => 'before', exp => $now + 3600});
is $roster->get('/users/user/status', $old_token)->{json}{id}, 'ada', 'a token from before works';
is $session->{json}{permissions}{features}{api_keys}, JSON::PP::true, "a group's permission";
is $session->{json}{permissions}{chat}{export}, JSON::PP::false, 'and one of the defaults';
is $session->{json}{permissions}{own}{thing}, JSON::PP::true, 'and one that is not known here';
is $roster->get('/users/user/status', $key)->{json}{id}, 'ada', 'the key works';
is_deeply [map { $_->{name} } @{$roster->get('/users/groups', $old_token)->{json}}], ['Staff'], 'groups';
is_deeply [sort map { $_->{id} } @{$roster->ask(POST => '/groups/id/g1/users', $root)->{json}}],
    [qw(ada bob)], 'members';
is $roster->get('/users/shared-c1', $roster->token_for('bob'))->{json}{id}, 'ada', 'the owner of a shared chat';
is_problem $roster->get('/users/shared-c2', $old_token), 400, 'USER_NOT_FOUND', 'not that of one that is not shared';
is_deeply $roster->get('/users/user/settings', $old_token)->{json}, {ui => {theme => 'dark'}}, 'settings';
is $roster->get('/users/ada/oauth/sessions', $root)->{json}[0]{provider}, 'google', 'OAuth sessions';
is $roster->get($address, $old_token)->{body}, $png, 'the picture';
my $config = $roster->settings($root);
is_deeply [@{$config}{qw(ENABLE_SIGNUP DEFAULT_USER_ROLE ENABLE_API_KEYS JWT_EXPIRES_IN)}],
    [JSON::PP::false, 'user', JSON::PP::true, '7d'], 'the settings of the site';
is_problem $roster->request(
    POST => '/auths/signup',
    json => {name => 'x', email => 'x@example.org', password => 'long enough words'}
    ),
    403, 'ACCESS_PROHIBITED', 'sign-up stays closed';

# ---- Again ----

$before = snapshot();
$result = import_file($site);
is $result->{status}, 0, 'a second import';
adds_up $result, 'a second import';
is join(' ', map { "$_->{table} $_->{new} $_->{changed}" } @{$result->{report}{tables}}),
    join(' ', map { "$_ 0 0" } qw(user auth group group_member api_key oauth_session chat config)),
    '... has nothing to do'
    or diag $result->{out};
is snapshot(), $before, '... and does nothing';

# Changes here, and changes there.
is $roster->post(
    '/auths/update/profile',
    $roster->token_for('bob'),
    {name => 'Bobby', profile_image_url => '/user.png'}
)->{status}, 200, 'a profile is changed here';
my $new_key = $roster->ask(POST => '/auths/api_key', $old_token)->{json}{api_key};
ok $new_key, 'a key is made here';
is $roster->post('/auths/admin/config', $root, {%$config, DEFAULT_USER_ROLE => 'pending'})->{status}, 200,
    'a setting is changed here';
my $other_hash = crypt 'another password', '$2b$04$abcdefghijklmnopqrstuu';
$roster->secret('another password');
my $changed = file(
    'changed',
    @site,
    'UPDATE user SET name = \'Robert\', last_active_at = 1700009999 WHERE id = \'bob\';',
    'UPDATE user SET name = \'Ada L.\', profile_image_url = \'/user.png\', last_active_at = 1 WHERE id = \'ada\';',
    "UPDATE auth SET password = '$other_hash' WHERE id IN ('ada', 'bob');",
    user('dora'),
    insert(group_member => id => 'm-dora', group_id => 'g1', user_id => 'dora', created_at => 1, updated_at => 1),
    'UPDATE "group" SET name = \'Crew\', updated_at = updated_at + 1 WHERE id = \'g1\';',
    'UPDATE chat SET share_id = NULL WHERE id = \'c1\'; DELETE FROM chat WHERE id = \'s1\';',
    'UPDATE config SET data = json_set(data, \'$.ui.default_user_role\', \'admin\', \'$.brand\', \'Old\');');
$dry = import_file($changed, '--dry-run');
$result = import_file($changed);
adds_up $result, 'an import of changes';
is_deeply $result->{report}, {%{$dry->{report}}, dry_run => JSON::PP::false}, '... does what the dry run said';
is numbers($result, 'user'), '5 1 1 3 0 5', '... of users those who are new, or changed there alone';
is numbers($result, 'group_member'), '3 1 0 2 0 3', '... of members the new one';
is numbers($result, 'chat'), '2 0 1 1 0 3', '... of chats what differs';
is_deeply [$roster->sql('SELECT id, name FROM user ORDER BY id')],
    [['ada', 'Ada L.'], ['bob', 'Bobby'], ['carol', 'Carol'], ['dora', 'Dora'], ['root', 'Root']], 'names';
cmp_ok $roster->sql('SELECT last_active_at FROM user WHERE id = ?', 'ada'), '>', 1_700_000_000,
    'who was active later, was so';
is $roster->sql('SELECT COUNT(*) FROM picture'), 0, 'a picture that nobody has any more is gone at once';
is $roster->sign_in('ada@example.org')->{status}, 200, 'who has signed in here keeps the password of here';
is $roster->sign_in('bob@example.org', password => 'another password')->{status}, 200,
    'who has not gets the new one of there';
is $roster->get('/users/user/status', $new_key)->{json}{id}, 'ada', 'a key that was made here works';
is_problem $roster->get('/users/user/status', $key), 401, 'INVALID_TOKEN', '... and the old one does not come back';
is $roster->sql('SELECT name FROM `group` WHERE id = ?', 'g1'), 'Crew', 'a group that was changed there later';
is_problem $roster->get('/users/shared-c1', $roster->token_for('bob')), 400, 'USER_NOT_FOUND',
    'a chat that is shared no more';
$config = $roster->settings($root);
is $config->{DEFAULT_USER_ROLE}, 'pending', 'the setting that was changed here last stays';
is $plain->decode(scalar $roster->sql('SELECT data FROM config'))->{brand}, 'Old', 'one that only the file has comes';
$changed = file(
    'changed',
    @site,
    insert(
        config => id => 2,
        data => {ui => {default_user_role => 'admin'}},
        version => 0,
        created_at => '2999-01-01 10:00:00'
    ));
import_file($changed);
is $roster->settings($root)->{DEFAULT_USER_ROLE}, 'admin', 'the newest row of the file, changed there last, wins';
is $roster->sql('SELECT DATE_FORMAT(updated_at, "%Y") FROM config ORDER BY id DESC LIMIT 1'), 2999,
    '... and its time is kept';

# A key that was replaced there.
my $third_key = $roster->secret('sk-' . 'b2' x 16);
my $fourth_key = $roster->secret('sk-' . 'c3' x 16);
import_file(file(
    'key', @site,
    insert(
        api_key => id => 'key_bob',
        user_id => 'bob',
        key => $third_key,
        created_at => 1_700_000_003,
        updated_at => 1_700_000_003
    )));
$roster->sql('UPDATE config SET data = JSON_SET(data, "$.auth.enable_api_keys", TRUE)');
is $roster->get('/users/user/status', $third_key)->{json}{id}, 'bob', "somebody's first key works";
$result = import_file(file(
    'key', @site,
    insert(
        api_key => id => 'key_bob',
        user_id => 'bob',
        key => $fourth_key,
        created_at => 1_700_000_009,
        updated_at => 1_700_000_009
    )));
is numbers($result, 'api_key'), '2 0 1 1 0 2', 'a key that was replaced there is replaced here';
is $roster->get('/users/user/status', $fourth_key)->{json}{id}, 'bob', '... the new one works';
is_problem $roster->get('/users/user/status', $third_key), 401, 'INVALID_TOKEN', '... the old one does not';

# ---- Collisions ----

$roster->finish;
$roster = import_into(Roster->new(config => {rate_limits => 'no'}));
my $here = $roster->add_user(role => 'admin', email => 'ada@example.org', created_at => $now);
$roster->sql('INSERT INTO config (data, updated_at) VALUES (?, UTC_TIMESTAMP())',
    '{"ui":{"enable_signup":false,"watermark":"x"}}');
my $twins = file(
    'twins', @site,
    user('twin1', email => 'twin@example.org', last_active_at => 1_800_000_000, password => undef),
    user('twin2', email => 'Twin@Example.org', last_active_at => 1_700_000_001),
    user('twin3', email => "TWIN\@example.org", last_active_at => 1_700_000_002),
    user('wide', email => "\x{ff54}win\@example.org", last_active_at => 1),
    (
        map { insert(group_member => id => "m-$_", group_id => 'g1', user_id => $_, created_at => 1, updated_at => 1) }
            qw(twin1 twin2 twin3)
    ),
    insert(chat => id => 'c3', user_id => 'twin3', title => 'Kept', created_at => 1, updated_at => 1));
$dry = import_file($twins, '--dry-run');
is $dry->{status}, 7, 'a dry run that finds collisions says so by its status';
$result = import_file($twins);
is $result->{status}, 7, 'and so does the import';
is_deeply $result->{report}, {%{$dry->{report}}, dry_run => JSON::PP::false}, '... which does what the dry run said';
adds_up $result, 'collisions';
is_deeply findings($result, 'collision'),
    [
    "user ada: email: ada\@example.org belongs to the user $here->{id} here",
    (map { "user $_: email: twin\@example.org also belongs to the user twin3, who is preferred" } qw(twin1 twin2)),
    "user wide: email: \x{ff54}win\@example.org also belongs to the user twin3, who is preferred"
    ],
    'who is in the way of whom'
    or diag $result->{out};
is numbers($result, 'user'), '8 4 0 0 4 5',
    '... of users who share an address one comes: of those with a password who was active last';
is numbers($result, 'group_member'), '5 2 0 0 3 2', '... with the memberships of that one alone';
is numbers($result, 'chat'), '4 2 0 0 2 2', '... and the chats, also not the copy of a chat that does not come';
is numbers($result, 'api_key'), '1 0 0 0 1 0', '... and keys';
is_deeply [@{$result->{tables}{group_member}}{qw(left_out_with_user)}, $result->{tables}{chat}{left_out_with_user}],
    [3, 2], '... which are counted apart';
is $roster->sql('SELECT id FROM user WHERE email = ?', 'twin@example.org'), 'twin3', 'who comes';
is $roster->sign_in('twin@example.org')->{json}{id}, 'twin3', '... and signs in';
is $roster->get('/users/user/status', $here->{token})->{json}{email}, 'ada@example.org', 'who was here is still here';
is_deeply $plain->decode(scalar $roster->sql('SELECT data FROM config'))->{ui},
    {enable_signup => JSON::PP::false, watermark => 'x', default_user_role => 'user', default_models => 'm'},
    'settings of both sides';

# The one who is here stays the one, though another one has been active since; and two who exchange their addresses are
# left as they are.
$twins = file(
    'twins',
    @site,
    user('twin2', email => 'twin@example.org', last_active_at => 1_900_000_000),
    user('twin3', email => 'twin@example.org', last_active_at => 1),
    'UPDATE user SET email = CASE id WHEN \'bob\' THEN \'carol@example.org\' ELSE \'bob@example.org\' END '
        . 'WHERE id IN (\'bob\', \'carol\');');
$dry = import_file($twins, '--dry-run');
$result = import_file($twins);
is_deeply $result->{report}, {%{$dry->{report}}, dry_run => JSON::PP::false}, 'again the dry run was right';
is_deeply [map { s/:.*//r } @{findings($result, 'collision')}], ['user ada', 'user bob', 'user carol', 'user twin2'],
    'exchanged addresses collide';
is_deeply [$roster->sql('SELECT id, email FROM user WHERE id IN (?, ?, ?) ORDER BY id', qw(bob carol twin3))],
    [['bob', 'bob@example.org'], ['carol', 'carol@example.org'], ['twin3', 'twin@example.org']],
    '... and everybody keeps theirs';
adds_up $result, 'exchanged addresses';
{
    my ($status, $out) = $roster->rosterctl('import', 'open-webui', $twins);
    is $status >> 8, 7, 'in words';
    like $out, qr/^TABLE +THERE +NEW +CHANGED +SAME +LEFT OUT +HERE$/m, '... there is a table';
    like $out, qr/^Not imported, because of a conflict:\n  user .+: email: /m, '... and what collides';
    unlike $out, qr/\$2b|sk-a1|gAAAA/, '... and no secret';
    is_deeply [$roster->rosterctl('--quiet', 'import', 'open-webui', $twins)], [7 << 8, ''], '--quiet prints nothing';
}

# ---- Broken rows ----

$roster->finish;
$roster = import_into(Roster->new(config => {rate_limits => 'no'}));
my $broken = file(
    'broken',
    $schema =~ s/ UNIQUE//gr =~ s/ NOT NULL( PRIMARY KEY)?//gr,
    user('good', role => 'admin', created_at => 1),
    user('noemail', email => undef),
    user('blank', email => '  '),
    user('x' x 256, email => 'long@example.org'),
    user('bytes', email => \"\xff\xfe\@example.org"),
    user('control', email => "a\tb\@example.org"),
    user('longmail', email => 'm' x 250 . '@example.org'),
    user(
        'mended',
        role => 'root',
        name => "\x{9b}" . 'n' x 300 . "\x{202e}",
        profile_image_url => 'data:image/svg+xml;base64,PHN2Zy8+',
        bio => \"\xc3",
        gender => 'g' x 256,
        date_of_birth => '1999-02-29',
        timezone => 't' x 256,
        username => 'u' x 51,
        status_message => "\x{1f600}" x 20000,
        status_expires_at => 'soon',
        info => '{"a":',
        settings => '[1]',
        oauth => '{"a":"\\ud800"}',
        created_at => undef,
        updated_at => undef
    ),
    user('nameless', name => undef, profile_image_url => 'javascript:alert(1)'),
    user('nohash', password => ''),
    user('oddhash', password => '$argon2id$v=19$m=65536,t=3,p=4$c2FsdHNhbHQ$aGFzaGhhc2g'),
    user('good', email => 'other@example.org') =~ s/OR REPLACE//gr,
    insert(auth => id => 'nobody', email => 'nobody@example.org', password => $Roster::PASSWORD_HASH, active => 1),
    insert(
        group => id => 'g1',
        user_id => 'good',
        name => 'Mended',
        description => undef,
        data => 'nonsense',
        meta => '{}',
        created_at => 5,
        updated_at => 5,
        permissions => {
            chat => {delete => 'yes', edit => JSON::PP::true, tts => {}},
            features => 1,
            own => JSON::PP::false,
            deep => {er => {x => 0, y => JSON::PP::true}}
        }
    ),
    (
        map {
            insert(
                group_member => id => "m$_->[0]",
                group_id => $_->[1],
                user_id => $_->[2],
                created_at => 1,
                updated_at => 1)
        } [1, 'g1', 'good'],
        [2, 'g1', 'good'],
        [3, 'g1', 'nobody'],
        [4, 'g9', 'good'],
        [5, 'g1', 'noemail']
    ),
    insert(api_key => id => 'k1', user_id => 'good', key => '', created_at => 1, updated_at => 1),
    insert(api_key => id => 'k2', user_id => 'nobody', key => $key, created_at => 1, updated_at => 1),
    insert(
        api_key => id => 'k3',
        user_id => 'good',
        key => $third_key,
        expires_at => 'never',
        created_at => 1,
        updated_at => 1
    ),
    insert(
        oauth_session => id => 'o1',
        user_id => 'nobody',
        provider => 'x',
        token => $oauth_token,
        expires_at => 1,
        created_at => 1,
        updated_at => 1
    ),
    insert(chat => id => 'c1', user_id => 'nobody', title => 'x', created_at => 1, updated_at => 1),
    insert(chat => id => 's2', user_id => 'shared-c2', title => 'x', created_at => 1, updated_at => 1),
    insert(
        chat => id => 'c3',
        user_id => 'good',
        title => "\x{e9}" x 40000,
        created_at => 1,
        updated_at => 1,
        meta => '"x"',
        archived => 'maybe'
    ),
    insert(
        config => id => 1,
        data => {user => {permissions => {chat => {delete => 'no', edit => JSON::PP::false}}}},
        version => 0,
        created_at => 'then'
    ));
$dry = import_file($broken, '--dry-run');
$result = import_file($broken);
is $result->{status}, 7, 'a file with broken rows' or diag $result->{out};
is_deeply $result->{report}, {%{$dry->{report}}, dry_run => JSON::PP::false}, '... the dry run said so';
adds_up $result, 'broken rows';
is_deeply findings($result, 'broken'),
    [
    sort 'api_key k1: key: not an API key',
    'api_key k2: the user nobody is not in the file',
    'api_key k3: expires_at: not a number',
    'auth nobody: the user nobody is not in the file',
    'auth nohash: password: empty',
    'chat c1: the user nobody is not in the file',
    'chat s2: the chat that it is a copy of is not in the file',
    'group_member m2: the file has it twice',
    'group_member m3: the user nobody is not in the file',
    'group_member m4: the group g9 is not in the file',
    'oauth_session o1: the user nobody is not in the file',
    'user -: id: longer than 255 characters',
    'user blank: email: empty',
    'user bytes: email: not UTF-8',
    'user control: email: holds control characters',
    'user good: the file has this id twice',
    'user longmail: email: longer than 255 characters',
    'user noemail: email: missing',
    'auth -: id: longer than 255 characters',
    'auth good: the file has it twice'
    ],
    '... which are left out'
    or diag $result->{out};
is_deeply findings($result, 'mended'),
    [
    sort 'auth oddhash: password: hashed in a format that can\'t be verified here; the account needs a new one',
    'chat c3: archived: neither true nor false',
    'chat c3: meta: not a JSON object',
    'chat c3: title: longer than 65535 bytes; truncated',
    'config -: permissions: chat.delete is neither true nor false; left out',
    'group g1: data: not JSON',
    (
        map { "group g1: permissions: $_ is neither true nor false; left out" }
            qw(chat.delete chat.tts features deep.er.x)
    ),
    (
        map { "user mended: $_" } 'role: not admin, user or pending; replaced by pending',
        'name: longer than 255 characters; truncated',
        'name: holds control characters, line separators or characters that change the direction of writing; left out',
        'profile_image_url: not a PNG, JPEG, GIF or WebP that can be decoded; replaced by the default picture',
        'bio: not UTF-8',
        'gender: longer than 255 characters; truncated',
        'date_of_birth: not a date',
        'timezone: longer than 255 characters',
        'username: longer than 50 characters',
        'status_message: longer than 65535 bytes; truncated',
        'status_expires_at: not a number',
        'info: not JSON',
        'settings: not a JSON object'
    ),
    'user nameless: profile_image_url: not the address of a picture; replaced by the default picture'
    ],
    '... and those that come in part'
    or diag $result->{out};
my ($mended) = $roster->rows('SELECT * FROM user WHERE id = ?', 'mended');
is_deeply [
    @{$mended}{qw(
        role name profile_image_url bio gender date_of_birth timezone username status_expires_at info settings
        created_at updated_at
    )}
    ],
    [
    'pending',
    'n' x 255,
    '/user.png',
    undef,
    'g' x 255,
    undef,
    undef,
    undef,
    undef,
    undef,
    undef,
    1_700_000_500,
    1_700_000_500
    ],
    'what is left of one';
is length $mended->{status_message}, 16383, '... a text is cut between characters';
is_deeply $plain->decode($mended->{oauth}), {a => "\x{fffd}"}, '... half a pair of surrogates is replaced';
is $roster->sql('SELECT name FROM user WHERE id = ?', 'nameless'), 'nameless@example.org',
    'who has no name is called by the address';
is_deeply $plain->decode(scalar $roster->sql('SELECT permissions FROM `group`')),
    {chat => {edit => JSON::PP::true}, own => JSON::PP::false, deep => {er => {y => JSON::PP::true}}},
    'permissions are what is left';
is $roster->get('/users/permissions', $roster->token_for('good'))->{json}{chat}{edit}, JSON::PP::true, '... and work';
is $roster->post(
    '/groups/id/g1/update',
    $roster->token_for('good'),
    $roster->get('/groups/id/g1', $roster->token_for('good'))->{json}
)->{status}, 200, '... also when they are sent back';
is $roster->sql('SELECT id FROM user ORDER BY created_at, id LIMIT 1'), 'good',
    'who has no time of coming is not the oldest account';
is_problem $roster->sign_in('oddhash@example.org'), 400, 'INVALID_CRED', 'a hash of an unknown kind signs nobody in';

# ---- Older releases ----

$roster->finish;
$roster = import_into(Roster->new(config => {rate_limits => 'no'}));
my $old = file(
    'old', <<'SQL',
    CREATE TABLE "user" ("id" VARCHAR(255) NOT NULL, "name" VARCHAR(255) NOT NULL, "email" VARCHAR(255) NOT NULL,
        "role" VARCHAR(255) NOT NULL, "profile_image_url" TEXT NOT NULL,
        "api_key" VARCHAR(255), "created_at" INTEGER NOT NULL, "updated_at" INTEGER NOT NULL,
        "last_active_at" INTEGER NOT NULL, "settings" TEXT, "info" TEXT, "oauth_sub" TEXT);
    CREATE UNIQUE INDEX "user_id" ON "user" ("id");
    CREATE TABLE "auth" ("id" VARCHAR(255) NOT NULL, "email" VARCHAR(255) NOT NULL, "password" TEXT NOT NULL,
        "active" INTEGER NOT NULL);
    CREATE TABLE "chat" ("id" VARCHAR(255) NOT NULL, "user_id" VARCHAR(255) NOT NULL, "title" TEXT NOT NULL,
        "chat" TEXT NOT NULL, "share_id" VARCHAR(255), "archived" INTEGER NOT NULL,
        "created_at" DATETIME NOT NULL, "updated_at" DATETIME NOT NULL);
    CREATE TABLE "group" (id TEXT NOT NULL, user_id TEXT, name TEXT, description TEXT, data JSON, meta JSON,
        permissions JSON, user_ids JSON, created_at BIGINT, updated_at BIGINT);
SQL
    (
        map { user($_->[0], api_key => $_->[1], oauth_sub => $_->[2]) } ['ada', $key, 'google@x@y'],
        ['bob', undef, 'plain'],
        ['carol', '', undef]
    ),
    insert(
        chat => id => 'c1',
        user_id => 'ada',
        title => 'Old',
        chat => '{}',
        share_id => 's1',
        archived => 0,
        created_at => 7,
        updated_at => 8
    ),
    insert(
        group => id => 'g1',
        user_id => 'ada',
        name => 'Old',
        description => 'x',
        user_ids => ['ada', 'bob', 'ada', 'nobody'],
        permissions => {features => {api_keys => JSON::PP::true}},
        created_at => 9,
        updated_at => 10
    ),
    insert(
        group => id => 'g2',
        user_id => 'ada',
        name => 'Older',
        description => 'x',
        user_ids => '{broken',
        created_at => 9,
        updated_at => 10
    ),
    insert(
        group => id => 'g3',
        user_id => 'ada',
        name => 'Oldest',
        description => 'x',
        user_ids => undef,
        created_at => 9,
        updated_at => 10
    ));
$dry = import_file($old, '--dry-run');
$result = import_file($old);
is $result->{status}, 7, 'a file of an older release' or diag $result->{out};
is_deeply $result->{report}, {%{$dry->{report}}, dry_run => JSON::PP::false}, '... the dry run said so';
adds_up $result, 'an older release';
is_deeply findings($result, 'mended'), ['group g2: user_ids: not a list; the group is imported without members'],
    '... a list of members that is none';
is_deeply [map { s/^group_member .*?: //r } @{findings($result, 'broken')}], ['the user nobody is not in the file'],
    '... a member who is not there';
is_deeply [$roster->sql('SELECT group_id, user_id FROM group_member ORDER BY user_id')],
    [['g1', 'ada'], ['g1', 'bob']], '... members stand in the row of the group';
is_deeply [$roster->sql('SELECT id, `key` FROM api_key')], [['key_ada', 'sha256:' . sha256_hex($key)]],
    '... keys in that of the user';
is_deeply [map { $_->[0] && $plain->decode($_->[0]) } $roster->sql('SELECT oauth FROM user ORDER BY id')],
    [{google => {sub => 'x@y'}}, {oidc => {sub => 'plain'}}, undef], '... OAuth subjects too';
is_deeply [$roster->sql('SELECT owner_id, share_id, updated_at FROM chat')], [['ada', 's1', 8]], '... chats';
is $roster->sign_in('ada@example.org')->{status}, 200, '... and people sign in';
$result = import_file($old);
is join(' ', map { $_->{new} + $_->{changed} } @{$result->{report}{tables}}), '0 0 0 0 0 0 0 0',
    '... again nothing is to be done'
    or diag $result->{out};

# ---- Files that are none ----

$roster->finish;
$roster = import_into(Roster->new(config => {rate_limits => 'no'}));
my $large = file('large', @site, map { user("user$_", bio => 'x' x 500) } 1 .. 2000);
$before = snapshot();
my $bytes = Roster::Database::slurp($large);
my $page = 4096;
my @bad = (
    ['that is not there', "$files/nothing.db", undef, qr/nothing\.db: No such file/],
    ['that is a directory', "$files", undef, qr/is not a regular file/],
    ['that is empty', "$files/empty.db", '', qr/is not a database of Open WebUI/],
    ['that is text', "$files/text.db", "name,email\n" x 1000, qr/is not a SQLite database/],
    ['of another program', file('foreign', 'CREATE TABLE user (id TEXT, login TEXT);'), undef, qr/has no user\.email/],
    ['that was cut off', "$files/cut.db", substr($bytes, 0, int(length($bytes) / 2)), qr/cut\.db/],
    ['that was cut off within a page', "$files/cut2.db", substr($bytes, 0, length($bytes) - 1000), qr/cut2\.db/],
    ['that was cut off by a page', "$files/cut3.db", substr($bytes, 0, length($bytes) - $page), qr/cut3\.db/],
    [
        'with a hole', "$files/hole.db",
        substr($bytes, 0, 20 * $page) . "\0" x (100 * $page) . substr($bytes, 120 * $page),
        qr/hole\.db is damaged/
    ]);
for my $case (@bad) {
    my ($name, $file, $content, $pattern) = @$case;
    Roster::Database::write_file($file, $content) if defined $content;
    refuses($name, $file, $pattern);
}
is snapshot(), $before, 'nothing of them came';

# MariaDB goes away in the middle.
{
    $roster->sql(
        'CREATE TRIGGER stop BEFORE INSERT ON chat FOR EACH ROW SIGNAL SQLSTATE "45000" SET MESSAGE_TEXT = "no"');
    my ($status, $out) = $roster->rosterctl('import', 'open-webui', $large);
    is $status >> 8, 1, 'what fails near the end fails';
    like $out, qr/nothing was imported/, '... as a whole';
    is snapshot(), $before, '... and leaves nothing';
    $roster->sql('DROP TRIGGER stop');
}

# ---- Many users, while the other program runs ----

for my $mode ('delete', 'wal') {
    run_sqlite($large, "PRAGMA journal_mode = $mode;\n");
    # Another program has it open, and writes before and after.
    my $pid = IPC::Open2::open2(my $out, my $in, $sqlite, '-bail', $large);
    $in->autoflush(1);
    my $ask = sub ($sql) { print {$in} "$sql\nSELECT 'done';\n"; my $line = readline $out; return $line };
    is $ask->(user("written-in-$mode") . ';'), "done\n", "$mode: another program writes";
    $result = import_file($large);
    is $result->{status}, 0, '... 2,000 users come' or diag $result->{out};
    adds_up $result, "... $mode";
    is $result->{tables}{user}{new}, $mode eq 'delete' ? 2005 : 1, '... with what it has written';
    is $ask->("UPDATE user SET bio = 'later' WHERE id = 'user1';"), "done\n", '... and it goes on writing';
    close $in;
    waitpid $pid, 0;
}
is $roster->sql('SELECT COUNT(*) FROM user'), 2006, 'all are here';
is $roster->sign_in('user1999@example.org')->{status}, 200, 'and sign in';

done_testing;
