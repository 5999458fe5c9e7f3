# rosterctl import open-webui: each release's own form of people and settings, what is kept without being used yet, what
# has no place here, and files that are made to do harm.
use v5.36;
use utf8;

use Encode ();
use Test::More;
use Roster;
use Roster::Import;
use Roster::Pictures;

binmode Test::More->builder->$_, ':encoding(UTF-8)' for qw(output failure_output);
plan skip_all => 'sqlite3 is not installed' if !$Roster::Import::sqlite;

my $json = JSON::PP->new->utf8->canonical->allow_nonref;
my $plain = JSON::PP->new->canonical->allow_nonref;    # of characters, as sql() gives them
my ($true, $false) = (JSON::PP::true, JSON::PP::false);
my $now = time;
my $roster;

sub fresh (%config) {
    $roster->finish if $roster;
    return $roster = import_into(Roster->new(config => {rate_limits => 'no', %config}));
}

sub document () { return $plain->decode(scalar $roster->sql('SELECT data FROM config ORDER BY id DESC LIMIT 1')) }

sub signs_up () {
    return $roster->request(
        POST => '/auths/signup',
        json => {name => 'New', email => "new$$\@example.org", password => 'words that are long enough'}
    )->{status};
}

# The import and its dry run, which must say the same.
sub both ($file, $name, @options) {
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    my $dry = import_file($file, '--dry-run', @options);
    my $result = import_file($file, @options);
    is_deeply $result->{report}, {%{$dry->{report} // {}}, dry_run => $false}, "$name: the dry run said so"
        or diag "$dry->{out}\n$result->{out}";
    is $result->{status}, $dry->{status}, '... with the same status';
    adds_up $result, $name;
    return $result;
}

sub nothing_to_do ($file, $name, @options) {
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    my $result = import_file($file, @options);
    is join(' ', map { $_->{new} + $_->{changed} } @{$result->{report}{tables} // []}), '0 0 0 0 0 0 0 0',
        "$name: again nothing is to be done"
        or diag $result->{out};
    return $result;
}

# JSON in JSON, as often as wanted.
sub wrapped ($value, $times) {
    my $text = $json->encode($value);
    $text = $json->encode(Encode::decode('UTF-8', $text)) for 1 .. $times;
    return Encode::decode('UTF-8', $text);
}

# ---- The same site in each release ----

my $key = 'sk-' . 'a1' x 16;
my %site_settings = (
    version => 0,
    ui => {enable_signup => $false, default_user_role => 'user', enable_community_sharing => $false},
    auth => {jwt_expiry => '7d', admin => {show => $false}, api_key => {enable => $true}},
    user => {permissions => {workspace => {models => $false}, chat => {file_upload => $false, delete => $true}}},
    webui => {url => 'https://chat.example.org'},
    openai => {api_keys => ['sk-theirs']});
my %group = (
    id => 'g1',
    user_id => 'root',
    name => 'Staff',
    description => 'All',
    data => 'null',
    meta => 'null',
    permissions => {chat => {file_upload => $true}},
    created_at => 1_700_000_000,
    updated_at => 1_700_000_000);

# A settings document as rows of 0.12: what is known by its path keeps its form.
sub setting_rows (%settings) {
    return map { insert(config => key => $_, value => $json->encode($settings{$_}), updated_at => 1_790_000_000) }
        sort keys %settings;
}
my %site_rows = (
    version => 0,
    'ui.enable_signup' => $false,
    'ui.default_user_role' => 'user',
    'ui.enable_community_sharing' => $false,
    'auth.jwt_expiry' => '7d',
    'auth.admin.show' => $false,
    'auth.api_key.enable' => $true,
    'user.permissions' => $site_settings{user}{permissions},
    'webui.url' => 'https://chat.example.org',
    'openai.api_keys' => ['sk-theirs']);

for my $release (qw(0.3.5 0.4.8 0.5.20 0.6.42 0.9.6 0.12.4)) {
    my ($major, $minor) = split /\./, $release;
    my $is_old = $minor < 6;
    my @people = map {
        user(
            $_,
            role => $_ eq 'root' ? 'admin' : 'user',
            created_at => $_ eq 'root' ? 1 : 5,
            settings => {ui => {theme => 'dark'}},
            $is_old && $_ eq 'ada' ? (api_key => $key) : ())
    } qw(root ada);
    my @groups =
          $minor < 4 ? ()
        : $is_old ? insert(group => %group, user_ids => ['ada'])
        : (insert(group => %group), insert(group_member => id => 'm1', group_id => 'g1', user_id => 'ada'));
    my @keys =
        $is_old
        ? ()
        : insert(api_key => id => 'key_ada', user_id => 'ada', key => $key, created_at => 1, updated_at => 1);
    my @config =
          $minor < 4 ? ()
        : $minor < 12 ? insert(config => id => 1, data => \%site_settings, version => 0)
        : setting_rows(%site_rows);
    my $file = file("site-$release", release($release), @people, @groups, @keys, @config);
    fresh();
    $roster->secret($key);
    my $result = both($file, $release);
    is_deeply $result->{report}{findings},
        $minor < 4
        ? [{
        kind => 'idle',
        table => 'config',
        id => 'ui.enable_signup',
        name => undef,
        text => 'the file does not say whether sign-up is open: it is closed'
        }]
        : [], '... nothing is wrong with it'
        or diag $result->{out};
    is $result->{status}, $minor < 4 ? 7 : 0, '... the status says so';
    is numbers($result, 'user'), '2 2 0 0 0 2', '... people';
    is signs_up(), 403, '... sign-up is closed';
    is_deeply $roster->get('/users/user/settings', $roster->token_for('ada'))->{json},
        {ui => {theme => 'dark'}}, '... settings of people';
    my $settings = $roster->settings($roster->token_for('root'));
    if ($minor < 4) {
        is_deeply document(), {ui => {enable_signup => $false}}, '... of the settings, that alone is stored';
    }
    else {
        is_deeply [
            @{$settings}{qw(
                ENABLE_SIGNUP DEFAULT_USER_ROLE ENABLE_COMMUNITY_SHARING JWT_EXPIRES_IN SHOW_ADMIN_DETAILS
                ENABLE_API_KEYS WEBUI_URL
            )}
            ],
            [$false, 'user', $false, '7d', $false, $true, 'https://chat.example.org'],
            '... the settings are those of there'
            or diag $json->encode(document());
        my $permissions =
            $roster->get('/users/default/permissions', $roster->token_for('root'))->{json};
        is_deeply [$permissions->{chat}{file_upload}, $permissions->{chat}{export}], [$false, $true],
            '... and so are the permissions';
        is_deeply document()->{openai}, {api_keys => ['sk-theirs']}, '... what is not known here is kept';
        is_deeply $result->{report}{idle_settings}, ['openai.api_keys'], '... and named';
        is $roster->get('/users/permissions', $roster->token_for('ada'))->{json}{chat}{file_upload},
            $true, '... a group gives what it gave';
    }
    is $roster->sql('SELECT suffix FROM api_key WHERE user_id = ?', 'ada'), 'a1a1', '... the key is here';
    is $roster->post('/auths/admin/config', $roster->token_for('root'), $settings)->{status}, 200,
        '... the settings can be sent back';
    is $roster->sign_in('ada@example.org')->{status}, 200, '... people sign in';
    nothing_to_do($file, $release);
    is signs_up(), 403, '... and sign-up stays closed';
}

# ---- Settings ----

# [name, rows of 0.12 or a document of 0.6, what /admin/config says then, findings]
my @root = user('root', role => 'admin', created_at => 1);
my $closed = 'idle config ui.enable_signup: the file does not say whether sign-up is open: it is closed';

sub told ($result) {
    return [sort map { "$_->{kind} $_->{table} " . ($_->{id} // '-') . ": $_->{text}" } @{$result->{report}{findings}}];
}
my @cases = (
    ['rows that open sign-up', {'ui.enable_signup' => $true}, {ENABLE_SIGNUP => $true}],
    ['a document that opens it', \{ui => {enable_signup => $true}}, {ENABLE_SIGNUP => $true}],
    ['rows that say nothing', {}, {ENABLE_SIGNUP => $false}, $closed],
    ['a document that says nothing', \{}, {ENABLE_SIGNUP => $false}, $closed],
    [
        'names of environment variables',
        {
            ENABLE_SIGNUP => $false,
            JWT_EXPIRES_IN => '2h',
            DEFAULT_USER_ROLE => 'admin',
            USER_PERMISSIONS => {chat => {export => $false}}
        },
        {ENABLE_SIGNUP => $false, JWT_EXPIRES_IN => '2h', DEFAULT_USER_ROLE => 'admin'}
    ],
    [
        'a document of flat names',
        \{
            'ui.enable_signup' => $false,
            'auth.jwt_expiry' => '2h',
            'user.permissions' => {chat => {export => $false}}
        },
        {ENABLE_SIGNUP => $false, JWT_EXPIRES_IN => '2h'}
    ],
    [
        'a path, and what it was called before',
        {'ui.enable_signup' => $false, 'auth.api_key.enable' => $true, 'auth.enable_api_keys' => $false},
        {ENABLE_API_KEYS => $false}
    ],
    [
        'texts and numbers for what they mean',
        {
            'ui.enable_signup' => 'False',
            'auth.admin.show' => 0,
            'auth.enable_api_keys' => 'true',
            'auth.jwt_expiry' => -1,
            'webui.url' => '"https://a.example.org"'
        },
        {
            ENABLE_SIGNUP => $false,
            SHOW_ADMIN_DETAILS => $false,
            ENABLE_API_KEYS => $true,
            JWT_EXPIRES_IN => '-1',
            WEBUI_URL => 'https://a.example.org'
        }
    ],
    [
        'what can not be meant',
        {
            'ui.enable_signup' => 'perhaps',
            'auth.enable_api_keys' => [1],
            'auth.jwt_expiry' => 'soon',
            'ui.default_user_role' => 'root',
            'webui.url' => {a => 1},
            'ui.watermark' => undef,
            'channels.enable' => undef,
            'user.permissions' => [1]
        },
        {
            ENABLE_SIGNUP => $false,
            ENABLE_API_KEYS => $false,
            JWT_EXPIRES_IN => '4w',
            DEFAULT_USER_ROLE => 'pending',
            WEBUI_URL => '',
            RESPONSE_WATERMARK => undef,
            ENABLE_CHANNELS => $false
        },
        $closed,
        (
            map { "mended config $_: of a type that it can't have; replaced by the default" }
                qw(ui.enable_signup auth.enable_api_keys webui.url)
        ),
        'mended config auth.jwt_expiry: not a lifetime; replaced by 4w',
        'mended config ui.default_user_role: not admin, user or pending; replaced by pending',
        'mended config user.permissions: not a JSON object; replaced by the defaults'
    ],
    [
        'a value in the way of a path',
        {'ui' => 1, 'ui.enable_signup' => $true, 'auth.admin' => [], user => 'x'},
        {ENABLE_SIGNUP => $false},
        $closed,
        map { "mended config $_: not a JSON object; left out" } qw(ui auth.admin user)
    ],
    [
        'what made the site safer there',
        {
            'ui.enable_signup' => $false,
            'ldap.enable' => $true,
            'ui.enable_login_form' => $false
        },
        {},
        'idle config ldap.enable: is on: there is no LDAP here; users who sign in by LDAP need a password',
        'idle config ui.enable_login_form: is off: here people may sign in with a password, unless '
            . 'password_sign_in in roster.conf is no'
    ],
    [
        'a default group that is in the file',
        {'ui.enable_signup' => $false, 'ui.default_group_id' => 'g1'},
        {DEFAULT_GROUP_ID => 'g1'}
    ],
    [
        'a default group that is nowhere',
        {'ui.enable_signup' => $false, 'ui.default_group_id' => 'g9'},
        {DEFAULT_GROUP_ID => ''},
        'mended config ui.default_group_id: the group g9 is neither in the file nor here; left empty'
    ],
    [
        'a document in a text in a text',
        \\wrapped(
            {
                ui => {enable_signup => $true, default_user_role => 'user'},
                user => {permissions => wrapped({chat => {export => $false}}, 2)}
            },
            2
        ),
        {ENABLE_SIGNUP => $true, DEFAULT_USER_ROLE => 'user'}
    ],
    ['a document that is none', \\'{"ui":', {ENABLE_SIGNUP => $false}, 'broken config -: data: not JSON', $closed],
    ['a document that is a list', \[1], {ENABLE_SIGNUP => $false}, 'broken config -: data: not a JSON object', $closed]
);
fresh();
for my $case (@cases) {
    my ($name, $settings, $expected, @told) = @$case;
    my $is_document = ref $settings eq 'REF';
    my @config =
        $is_document
        ? insert(config => id => 1, data => ref $$settings eq 'SCALAR' ? $$$settings : $$settings, version => 0)
        : setting_rows(%$settings);
    my $file = file('settings', release($is_document ? '0.6.42' : '0.12.4'), @root, insert(group => %group), @config);
    $roster->sql("DELETE FROM `$_`") for qw(config user group);
    my $result = both($file, $name);
    is_deeply told($result), [sort @told], '... what is wrong with it is told' or diag $result->{out};
    my $got = $roster->settings($roster->token_for('root'));
    is_deeply + {map { ($_ => $got->{$_}) } keys %$expected}, $expected, '... and this is what there is'
        or diag $json->encode(document());
    is $roster->post('/auths/admin/config', $roster->token_for('root'), $got)->{status}, 200, '... it can be sent back';
    is $roster->get('/users/default/permissions', $roster->token_for('root'))->{json}{chat}{export},
        $false, '... with the permissions'
        if join('', @config) =~ /6578706f7274/;    # `export`, in hexadecimal
    nothing_to_do($file, $name) if $name ne 'a document that is none';
}

# A value that is no JSON, and a name that is none.
{
    $roster->sql("DELETE FROM `$_`") for qw(config user group);
    my $file = file(
        'settings', release('0.12.4'), @root,
        setting_rows('ui.enable_signup' => $false),
        q|INSERT INTO config (key, value) VALUES ('auth.jwt_expiry', '{"a":'), ('', '1'), ('webui.url', x'00ff');|);
    my $result = both($file, 'values that are no JSON');
    is_deeply told($result),
        [
        sort 'mended config auth.jwt_expiry: not JSON; left out',
        'mended config webui.url: not JSON; left out',
        'mended config -: a setting without a proper name; left out'
        ],
        '... are told one by one'
        or diag $result->{out};
    is $roster->settings($roster->token_for('root'))->{JWT_EXPIRES_IN}, '4w', '... and the others come';
}

# Both sides have settings.
{
    $roster->sql("DELETE FROM `$_`") for qw(config user group);
    import_file(file('settings', release('0.12.4'), @root, setting_rows('ui.enable_signup' => $true)));
    is $roster->settings($roster->token_for('root'))->{ENABLE_SIGNUP}, $true, 'sign-up that is open there is open here';
    my $result = both(file('settings', release('0.12.4'), @root, setting_rows('ui.default_user_role' => 'user')),
        'a file that does not say it any more');
    is_deeply told($result),
        ['idle config ui.enable_signup: sign-up was open here: it is closed, as the file does not say that it is open'],
        '... closes it, and says so'
        or diag $result->{out};
    is $roster->settings($roster->token_for('root'))->{ENABLE_SIGNUP}, $false, '... indeed';
    $roster->post(
        '/auths/admin/config',
        $roster->token_for('root'),
        {%{$roster->settings($roster->token_for('root'))}, ENABLE_SIGNUP => $true, JWT_EXPIRES_IN => '3h'});
    $result = both(
        file(
            'settings', release('0.12.4'),
            @root, setting_rows('ui.enable_signup' => $false, 'auth.jwt_expiry' => 'never')
        ),
        'sign-up that was opened here');
    is_deeply told($result),
        [
        sort 'mended config auth.jwt_expiry: not a lifetime; replaced by 4w',
        'idle config ui.enable_signup: sign-up was open here: it is closed, as the file has it closed'
        ],
        '... is closed where the file has it closed'
        or diag $result->{out};
    is $roster->settings($roster->token_for('root'))->{JWT_EXPIRES_IN}, '3h',
        '... and a value that is no good takes the place of none';
    import_file(file(
        'settings', release('0.12.4'),
        @root, insert(config => key => 'auth', value => '7', updated_at => 4_000_000_000)));
    is $roster->settings($roster->token_for('root'))->{JWT_EXPIRES_IN}, '3h',
        '... nor does one that stands where settings should';

    $roster->sql(q|UPDATE config SET data = CONCAT('{"a":', REPEAT('[', 400), REPEAT(']', 400), '}')|);
    my $before = $roster->sql('SELECT data FROM config');
    my ($status, $out) = $roster->rosterctl('import', 'open-webui',
        file('settings', release('0.12.4'), @root, user('late'), setting_rows('ui.enable_signup' => $false)));
    is $status >> 8, 1, 'settings here that can not be read stop the import';
    like $out, qr/the settings are neither used nor changed.*nothing was imported/s, '... which says so';
    is $roster->sql('SELECT data FROM config'), $before, '... and they are not written over';
    is $roster->sql('SELECT COUNT(*) FROM user WHERE id = ?', 'late'), 0, '... and nobody came';
}

# config.json, which the oldest releases have beside their database.
{
    fresh();
    my $file = file('oldest', release('0.3.5'), @root);
    my $settings = files() . '/config.json';
    Roster::Database::write_file($settings,
        $json->encode({version => 0, ui => {enable_signup => $true, default_user_role => 'user'}}));
    my $result = both($file, 'config.json', '--settings', $settings);
    is_deeply $result->{report}{findings}, [], '... is read' or diag $result->{out};
    is_deeply [@{$roster->settings($roster->token_for('root'))}{qw(ENABLE_SIGNUP DEFAULT_USER_ROLE)}], [$true, 'user'],
        '... and its settings come';
    nothing_to_do($file, 'config.json', '--settings', $settings);
    for (
        ['that is not there', "$settings.no", $file, qr/No such file/],
        [
            'beside settings in the database',
            $settings,
            file('newer', release('0.12.4'), @root, setting_rows('ui.enable_signup' => $false)),
            qr/already has settings/
        ])
    {
        my ($name, $path, $database, $pattern) = @$_;
        my ($status, $out) = $roster->rosterctl('import', 'open-webui', $database, '--settings', $path);
        is $status >> 8, 1, "one $name is refused";
        like $out, $pattern, '... with the reason';
    }
}

# ---- JSON in JSON ----

fresh();
my %documents = (
    settings => {ui => {theme => "d\x{e4}rk \"x\""}, own => [1, {a => 'b'}]},
    info => {a => {b => [1.5, undef]}},
    oauth => {oidc => {sub => '7f@x'}});
my @wrapped = (
    (
        map {
            my $times = $_;
            user("times$times", (map { ($_ => wrapped($documents{$_}, $times)) } keys %documents))
        } 0,
        1, 2, 3,
        8
    ),
    user('nothing', settings => wrapped(undef, 3), info => '"null"', oauth => '""'),
    user('text', settings => wrapped('no JSON', 1), info => wrapped([1], 2), oauth => wrapped({a => 1}, 10)),
    insert(
        group => %group,
        data => wrapped({config => {share => $true}}, 1),
        meta => wrapped({a => 1}, 2),
        permissions => wrapped({chat => {delete => $false, edit => 'x'}}, 2)
    ));
my $json_file = file('wrapped', release('0.9.6'), @root, @wrapped,
    insert(config => id => 1, data => \%site_settings, version => 0));
my $result = both($json_file, 'JSON in JSON');
for my $times (0, 1, 2, 3, 8) {
    my ($row) = $roster->rows('SELECT settings, info, oauth FROM user WHERE id = ?', "times$times");
    is_deeply + {map { ($_ => $plain->decode($row->{$_} // 'null')) } keys %$row}, \%documents,
        "... $times times: it is whole";
}
is_deeply [$roster->sql('SELECT settings, info, oauth FROM user WHERE id = ?', 'nothing')], [[undef, undef, undef]],
    '... null in it is nothing';
is_deeply [map { $plain->decode($_) } @{($roster->sql('SELECT data, meta, permissions FROM `group`'))[0]}],
    [{config => {share => $true}}, {a => 1}, {chat => {delete => $false}}], '... of groups as well';
is_deeply named($result, 'mended'),
    [
    sort 'group (Staff): permissions: chat.edit is neither true nor false; left out',
    'user (Nothing <nothing@example.org>): oauth: not a JSON object',
    'user (Text <text@example.org>): info: not a JSON object',
    'user (Text <text@example.org>): oauth: not a JSON object',
    'user (Text <text@example.org>): settings: not a JSON object'
    ],
    '... what can not be read is told, and of whom'
    or diag $result->{out};
nothing_to_do($json_file, 'JSON in JSON');

# Groups above others that can't be there: nowhere, in a circle, with one below it, and a line of seventy.
{
    $roster->sql('DELETE FROM `group`');
    my $below = sub ($id, $above) { return insert(group => %group, id => $id, name => $id, parent_group_id => $above) };
    my $line = file(
        'hierarchy',
        release('0.12.4'),
        user('root'),
        $below->('g1', undef),
        $below->('lost', 'nowhere'),
        $below->('a', 'b'),
        $below->('b', 'c'),
        $below->('c', 'a'),
        $below->('d', 'c'),
        $below->('self', 'self'),
        map { $below->(sprintf('n%02d', $_), $_ ? sprintf 'n%02d', $_ - 1 : 'g1') } 0 .. 69);
    my $result = both($line, 'a hierarchy');
    is_deeply named($result, 'mended'),
        [
        sort 'group (lost): parent_group_id: this group is not in the file; the group is imported without it',
        (
            map { "group ($_): parent_group_id: the group would be below itself; the group is imported without it" }
                qw(a b c self)
        ),
        'group (n63): parent_group_id: there would be more than 64 levels; the group is imported without it'
        ],
        'groups that would be below themselves, or too deep, are imported without the one above';
    is_deeply {
        map { @$_ }
            $roster->sql(q{SELECT id, parent_group_id FROM `group` WHERE parent_group_id IS NOT NULL AND id < 'n01' })
    }, {d => 'c', n00 => 'g1'}, '... and the others below theirs';
    is $roster->sql('SELECT COUNT(*) FROM `group` WHERE parent_group_id IS NOT NULL'), 70, '... all of them';
    nothing_to_do($line, 'a hierarchy');
    $roster->sql('DELETE FROM `group`');
}

# Older releases have the members of a group in a list in its row.
{
    $roster->sql('DELETE FROM `group`');
    my $result = both(
        file(
            'members', release('0.5.20'), @root,
            insert(config => id => 1, data => \%site_settings, version => 0),
            map { insert(group => %group, id => "w$_", name => "W$_", user_ids => wrapped(['root'], $_)) } 0,
            1, 2, 8, 9
        ),
        'lists of members in JSON in JSON');
    is_deeply [map { $_->[0] } $roster->sql('SELECT group_id, user_id FROM group_member ORDER BY group_id')],
        [qw(w0 w1 w2 w8)], '... are read';
    is_deeply named($result, 'mended'), ['group (W9): user_ids: not a list; the group is imported without members'],
        '... or told';
}

# What can't be read now does not take away what could be read before; nor does a file without the column.
$roster->sql('UPDATE user SET settings = ?, info = ? WHERE id = ?', '{"ui":{"kept":1}}', '{"kept":1}', 'text');
import_file(file(
    'broken', release('0.9.6'),
    user('text', settings => '{"ui":', info => '[1]', role => 'chief', updated_at => 1_800_000_000)));
is_deeply [$roster->sql('SELECT settings, info, role FROM user WHERE id = ?', 'text')],
    [['{"ui":{"kept":1}}', '{"kept":1}', 'user']], 'a value that can not be read leaves the one here';
$roster->sql('UPDATE user SET bio = ? WHERE id = ?', 'kept', 'text');
import_file(file('older', release('0.3.5'), user('text', name => 'Renamed', updated_at => 1_800_000_001)));
is_deeply [$roster->sql('SELECT name, settings, bio FROM user WHERE id = ?', 'text')], [['Renamed', undef, 'kept']],
    'a column that the file does not have leaves the one here; one that is empty there is empty';

# ---- What is kept without being used yet, and what has no place ----

fresh();
my $factor = $json->encode({secret => $roster->secret('JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP'), enabled => $true});
my $new = file(
    'newer',
    release('0.12.4'),
    @root,
    setting_rows(%site_rows),
    'ALTER TABLE user ADD COLUMN "nick ""name" TEXT; ALTER TABLE auth ADD COLUMN passkey JSON; '
        . 'ALTER TABLE chat ADD COLUMN mood TEXT;',
    'ALTER TABLE "group" ADD COLUMN colour TEXT; CREATE TABLE passkey (id TEXT, user_id TEXT); '
        . 'CREATE TABLE empty (id TEXT); INSERT INTO passkey VALUES (1, \'ada\'), (2, \'bob\');',
    user(
        'ada',
        auth_mfa => $factor,
        auth_session_stamp => 'stamp-1',
        variables => {city => 'Wien'},
        scim => {okta => '00u1'},
        'nick "name' => 'Lady'
    ),
    user('bob', auth_mfa => 'null', variables => '{}', auth_passkey => {id => 1}, name => "Bob \x{1f600}"),
    user('carol', auth_mfa => '{broken', 'nick "name' => ''),
    insert(group => %group),
    insert(group => %group, id => 'g2', name => 'Below', parent_group_id => 'g1', colour => 'red'),
    insert(
        chat => id => 'c1',
        user_id => 'ada',
        title => 'x',
        chat => {messages => ['hidden words']},
        created_at => 1,
        updated_at => 1,
        archived => 0,
        mood => 'good',
        share_id => 's1'
    ),
    insert(shared_chat => id => 's1', chat_id => 'c1', user_id => 'ada', title => 'x', chat => {}),
    insert(
        access_grant => id => 'a',
        resource_type => 'shared_chat',
        resource_id => 'c1',
        principal_type => 'user',
        principal_id => '*',
        permission => 'read',
        created_at => 1
    ));
$result = both($new, 'what is new there');
is $result->{status}, 7, '... makes the import incomplete';
my $had = 'none of the secret keys opens this second factor: only its codes for an emergency count, or '
    . "`rosterctl user mfa reset'";
is_deeply named($result, 'idle'),
    [
    sort "auth (Ada <ada\@example.org>): mfa: $had",
    "auth (Carol <carol\@example.org>): mfa: $had",
    'user (Ada <ada@example.org>): scim: is kept, but nothing here provisions people by SCIM yet'
    ],
    '... what is kept is told, and of whom'
    or diag $result->{out};
is_deeply named($result, 'mended'),
    [
    sort 'auth (Bob 😀 <bob@example.org>): passkey: has no place here; left in the file',
    'group (Below): colour: has no place here; left in the file',
    'user (Ada <ada@example.org>): nick "name: has no place here; left in the file'
    ],
    '... and what has no place'
    or diag $result->{out};
is_deeply
    + {map { ("$_->{table}." . ($_->{column} // '*') => [$_->{rows}, $_->{known} ? 1 : 0]) }
        @{$result->{report}{no_place}}},
    {
    'chat.chat' => [1, 1],
    'chat.mood' => [1, 0],
    'user.nick "name' => [1, 0],
    'auth.passkey' => [1, 0],
    'group.colour' => [1, 0],
    'passkey.*' => [2, 0],
    'shared_chat.*' => [1, 1],
    'access_grant.*' => [1, 1]
    },
    '... tables and columns are counted'
    or diag $result->{out};
is_deeply [$roster->sql('SELECT id, mfa, session_stamp FROM auth WHERE id <> ? ORDER BY id', 'root')],
    [['ada', $factor, 'stamp-1'], ['bob', undef, undef], ['carol', '{broken', undef]], '... second factors are here';
is_deeply [map { $plain->decode($_) } @{($roster->sql('SELECT variables, scim FROM user WHERE id = ?', 'ada'))[0]}],
    [{city => 'Wien'}, {okta => '00u1'}], '... variables, and ids for provisioning';
is $roster->sql('SELECT parent_group_id FROM `group` WHERE id = ?', 'g2'), 'g1', '... and the group above';
unlike $result->{out}, qr/JBSWY3|hidden words/, '... and the report holds no secret';
{
    my ($status, $out) = $roster->rosterctl('import', 'open-webui', $new);
    is $status >> 8, 7, 'in words';
    my $ada = qr/auth ada \(Ada <ada\@example\.org>\)/;
    like $out, qr/^Imported, but without effect in Roster.*:\n(?:  .*\n)*  $ada: mfa: none of the secret keys/m,
        '... it says who';
    like $out, qr/^Not imported, because it is unknown:\n(?:  .*\n)*  passkey: 2 rows$/m, '... what is not known';
    like $out, qr/^Not imported, because Roster does not store it:\n  chat\.chat: 1 row$/m, '... what has no place';
    like $out, qr/^1 setting is stored, but not used by Roster/m, '... and how many settings';
}
is $roster->sign_in('ada@example.org')->{status}, 200, 'who had a second factor signs in, where none is needed';
is_deeply [$roster->sql('SELECT mfa, factor_state FROM auth WHERE id = ?', 'ada')], [[undef, 1]],
    '... and has it here now';
is $roster->get('/users/root', $roster->token_for('root'))->{status}, 200, 'and all is well';
unlike $roster->get('/users/ada', $roster->token_for('root'))->{body},
    qr/JBSWY3|"mfa"|"scim"|variables/, 'and nobody is shown it';

{
    my $file = file(
        'stranger', release('0.12.4'), @root,
        setting_rows('ui.enable_signup' => $false),
        'CREATE TABLE badge (id TEXT); INSERT INTO badge VALUES (1);');
    is import_file($file)->{status}, 7, 'a table that is not known makes an import incomplete by itself';
    $file = file(
        'known', release('0.12.4'), @root,
        setting_rows('ui.enable_signup' => $false),
        insert(shared_chat => id => 's1', chat_id => 'c1', user_id => 'root'));
    is import_file($file)->{status}, 0, '... one that is known does not';
    $file = file(
        'active',
        release('0.12.4'),
        'ALTER TABLE auth RENAME COLUMN active TO was_active;',
        setting_rows('ui.enable_signup' => $false),
        insert(
            user => id => 'dora',
            email => 'dora@example.org',
            role => 'user',
            name => 'Dora',
            profile_image_url => '',
            created_at => 5,
            updated_at => 5,
            last_active_at => 5
        ),
        insert(auth => id => 'dora', email => 'dora@example.org', password => $Roster::PASSWORD_HASH, was_active => 0));
    import_file($file);
    is $roster->sign_in('dora@example.org')->{status}, 200, 'where accounts can not be switched off, none is';
}

# Sessions of before: a stamp ends them, once.
my $old = $roster->jwt({id => 'ada', jti => 'before', iat => $now - 100, exp => $now + 3600});
is $roster->get('/users/user/status', $old)->{status}, 401, 'a session of there is over where the account has a stamp';
is $roster->request(
    GET => '/users/user/status',
    token => $roster->jwt({id => 'bob', jti => 'before2', iat => $now - 100, exp => $now + 3600})
)->{status}, 200, '... and goes on where it has none';
my $own = $roster->sign_in('ada@example.org')->{json}{token};
import_file(file('newer', release('0.12.4'), @root, user('ada', auth_mfa => undef, auth_session_stamp => 'stamp-2')));
is $roster->get('/users/user/status', $own)->{status}, 200, 'a new stamp leaves the sessions of here';
is $roster->request(
    GET => '/users/user/status',
    token => $roster->jwt({id => 'ada', jti => 'later', iat => time - 1, exp => $now + 3600})
)->{status}, 401, '... and ends those of there';
is_deeply [$roster->sql('SELECT factor_state, session_stamp FROM auth WHERE id = ?', 'ada')], [[1, 'stamp-2']],
    'a second factor stays, though the file has none any more';

# ---- Argon2 ----

{
    fresh();
    my $has_argon2 = qx(ldd "$Roster::build/roster") =~ /libargon2/;
    # Of 'a horse of argon', by libargon2.
    my $hash = '$argon2id$v=19$m=256,t=2,p=2$c29tZXNhbHQ$JreXk8BYCBLcrd5bTVcT7w9fk3mj57a8WApSPNnnYIA';
    my $file = file(
        'argon2', release('0.12.4'), @root,
        user('ada', password => $hash),
        user('dear', password => $hash =~ s/m=256/m=999999/r),
        setting_rows(%site_rows));
    my $result = both($file, 'Argon2');
    my $why =
        $has_argon2
        ? 'an Argon2 hash that takes more memory or time than is allowed here'
        : 'an Argon2 hash, which this build can\'t verify: it was made without libargon2';
    is_deeply named($result, 'mended'),
        [
        sort map { "auth ($_): password: $why; the account needs a new one" } 'Dear <dear@example.org>',
        $has_argon2 ? () : 'Ada <ada@example.org>'
        ],
        '... what can not be verified is told, and of whom'
        or diag $result->{out};
    is_problem $roster->sign_in('ada@example.org', password => 'a horse of Argon'), 400, 'INVALID_CRED',
        '... a wrong password';
    is_problem $roster->sign_in('dear@example.org', password => 'a horse of argon'), 400, 'INVALID_CRED',
        '... a hash that is too dear';
    wait_until(
        5,
        sub {
            $roster->log_text =~ /the user dear can't sign in with a password, since the stored one is an Argon2 hash/;
        });
    like $roster->log_text, qr/the user dear can't sign in/, '... and the log says so';
    if ($has_argon2) {
        is $roster->sign_in('ada@example.org', password => 'a horse of argon')->{status}, 200,
            '... a right one signs in';
        like $roster->sql('SELECT password FROM auth WHERE id = ?', 'ada'), qr/^\$s1\$/, '... and is hashed anew';
        is $roster->sign_in('ada@example.org', password => 'a horse of argon')->{status}, 200, '... and signs in again';
        import_file($file);
        like $roster->sql('SELECT password FROM auth WHERE id = ?', 'ada'), qr/^\$s1\$/,
            '... and the next import leaves it';
    }
    else {
        is_problem $roster->sign_in('ada@example.org', password => 'a horse of argon'), 400, 'INVALID_CRED',
            '... not even the right one, without libargon2';
    }
}

# ---- Odd people ----

{
    fresh();
    my $file = file(
        'odd',
        release('0.6.42'),
        @root,
        insert(config => id => 1, data => \%site_settings, version => 0),
        user('bell', name => "Be\x{07}ll\x{202e}\x{2028}a"),
        user('blank', name => "\x{200f}"),
        user('nul', bio => \"a\0b", name => \"N\0ul"),
        user('decomposed', email => "jose\x{301}\@example.org"),
        user('composed', email => "jos\x{e9}\@example.org", last_active_at => 1_800_000_000),
        (
            map { user("bad$_->[0]", email => $_->[1]) } [1, 'nobody'],
            [2, 'a b@example.org'],
            [3, "soft\x{ad}\@example.org"],
            [4, 'a@b@example.org'],
            [5, \"n\0\@example.org"]
        ),
        user("line\nbreak", email => 'line@example.org'),
        insert(group => %group, name => "Sta\x{85}ff"));
    my $result = both($file, 'odd characters');
    my $left =
        'name: holds control characters, line separators or characters that change the direction of writing; left out';
    is_deeply [sort map { s/ \(.*?\)//r } @{named($result, 'mended')}],
        [
        sort "user: $left",
        "user: $left", "user: $left", "group: $left",
        'user: name: no valid characters',
        'user: bio: holds NUL'
        ],
        '... are left out, and told'
        or diag $result->{out};
    is_deeply findings($result, 'broken'),
        [
        sort 'user -: id: holds control characters',
        'auth -: id: holds control characters',
        'user bad5: email: holds control characters',
        map { "user bad$_: email: not an email address such as name\@example.org" } 1 .. 4
        ],
        '... bad addresses are told, and their people left out'
        or diag $result->{out};
    is_deeply [map { s/user (\S+): email: .* also belongs to the user (\S+), who.*/$1 $2/r }
            @{findings($result, 'collision')}], ['decomposed composed'], '... composed or not is one address'
        or diag $result->{out};
    is_deeply [$roster->sql('SELECT id, name, bio FROM user WHERE id IN (?, ?, ?) ORDER BY id', qw(bell blank nul))],
        [['bell', 'Bella', undef], ['blank', 'blank@example.org', undef], ['nul', 'Nul', undef]], '... people come';
    is $roster->sign_in("JOSE\x{301}\@example.org")->{json}{id}, 'composed', '... and sign in, however it is typed';
    nothing_to_do($file, 'odd characters');
}

# ---- Pictures ----

{
    fresh();
    my @png = map { png(width => $_, more => '') } 20, 30;
    my @uri = map { data_uri($_) } @png;
    my @address = map { picture_address($_) } @png;
    my @people = (
        user('ada', profile_image_url => $uri[0], profile_banner_image_url => $uri[1]),
        user(
            'thief',
            profile_image_url => '/pictures/' . '0' x 64 . '.png',
            profile_banner_image_url => '/pictures/' . '1' x 64 . '.gif'
        ),
        user('long', profile_image_url => 'https://pictures.example.org/' . 'x' x 2048),
        user('bad', profile_banner_image_url => 'data:image/png;base64,AAAA'));
    my $file = file('pictures', release('0.12.4'), @root, setting_rows(%site_rows), @people);
    my $result = both($file, 'pictures');
    is_deeply findings($result, 'mended'),
        [
        sort
            'user thief: profile_image_url: the address of a picture that is not here; replaced by the default picture',
        'user thief: profile_banner_image_url: the address of a picture that is not here',
        'user long: profile_image_url: an address of more than 2048 bytes; replaced by the default picture',
        'user bad: profile_banner_image_url: not a PNG, JPEG, GIF or WebP that can be decoded'
        ],
        '... what is none is told'
        or diag $result->{out};
    is_deeply [
        $roster->sql(
            'SELECT id, profile_image_url, profile_banner_image_url FROM user WHERE id <> ? ORDER BY id', 'root')
        ],
        [['ada', @address], (map { [$_, '/user.png', undef] } qw(bad long thief))],
        '... of the others the addresses are here';
    is_deeply [map { $roster->get($_)->{body} } @address], \@png, '... and the pictures';
    nothing_to_do($file, 'pictures');
    both(
        file(
            'pictures', release('0.12.4'),
            user('ada', profile_banner_image_url => $address[1], updated_at => 1_800_000_000)
        ),
        'a picture that is gone there, and the address of one that is here');
    is_deeply [$roster->sql('SELECT profile_image_url, profile_banner_image_url FROM user WHERE id = ?', 'ada')],
        [['/user.png', $address[1]]], '... is gone here, too; the other one stays';
    is $roster->sql('SELECT COUNT(*) FROM picture'), 1, '... and so do its bytes';
}

# ---- Files that are made to do harm ----

{
    fresh();
    my $schema = release('0.12.4');
    my $endless = 'WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n) SELECT';
    my $without_user = $schema =~ s/^CREATE (?:UNIQUE )?(?:TABLE "user"|INDEX \w+ ON user).*\n//gmr;
    my @bad = (
        [
            'with a view for a table',
            file(
                'view', $without_user,
                "CREATE VIEW user AS $endless x AS id, 'a' AS email, 'a' AS name, 'a' AS role FROM n;"
            ),
            qr/its user is not a plain table/
        ],
        [
            'with a view under a name in capitals',
            file(
                'view2',
                $schema =~ s/^CREATE TABLE access_grant.*\n//mr =~ s/^CREATE INDEX \w+ ON access_grant.*\n//gmr =~
                    s/^CREATE TABLE config .*\n//mr,
                "CREATE VIEW CONFIG AS $endless 'ui.enable_signup' AS key, 'true' AS value FROM n;"
            ),
            qr/its config is not a plain table/
        ],
        [
            'with a virtual table',
            file('virtual', $without_user, 'CREATE VIRTUAL TABLE user USING fts4(id, email, name, role);'),
            qr/its user is not a plain table/
        ],
        [
            'with a value without end',
            file('long', $schema, @root, "UPDATE user SET bio = hex(zeroblob(40000000));"),
            qr/holds a value of more than 64 MiB/
        ]);
    my $before =
        $json->encode([$roster->sql('SELECT COUNT(*) FROM user'), $roster->sql('SELECT COUNT(*) FROM config')]);
    refuses(@$_) for @bad;
    is $json->encode([$roster->sql('SELECT COUNT(*) FROM user'), $roster->sql('SELECT COUNT(*) FROM config')]),
        $before, 'nothing of them came';

    # What does no harm: triggers, a view beside the tables, a chat as long as a book, a value as long as allowed.
    my $harmless = file(
        'harmless',
        $schema,
        @root,
        setting_rows(%site_rows),
        user('ada', bio => 'x' x 70_000, info => {a => 'y' x 3_000_000}),
        "CREATE TRIGGER t AFTER UPDATE ON user BEGIN DELETE FROM user; END; CREATE VIEW people AS $endless x FROM n;",
        insert(chat => id => 'c1', user_id => 'ada', title => 'x', created_at => 1, updated_at => 1, archived => 0),
        "UPDATE chat SET chat = hex(zeroblob(20000000));");
    my $result = both($harmless, 'what does no harm');
    is_deeply told($result), ['mended user ada: bio: longer than 65535 bytes; truncated'], '... is brought'
        or diag $result->{out};
    is $roster->sql('SELECT CHAR_LENGTH(info) FROM user WHERE id = ?', 'ada'), 3_000_000 + 8, '... whole';
    is $roster->get('/users/', $roster->token_for('root'))->{status}, 200, '... and the list lists';
}

done_testing;
