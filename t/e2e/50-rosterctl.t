# rosterctl: every command on a real stack: what it prints, what it changes, how it ends.
use v5.36;
use utf8;

use File::Temp ();
use IPC::Open2 ();
use Test::More;
use Roster;

my $roster = Roster->new;
my $json = JSON::PP->new->utf8->allow_nonref;

sub ends_with ($result, $status, $pattern, $name) {
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    my $good = $result->{status} eq $status && ($status ? $result->{err} : $result->{out} . $result->{err}) =~ $pattern;
    return ok($good, $name) || diag "status $result->{status}\nout: $result->{out}\nerr: $result->{err}";
}

# ---- The command line ----

ends_with $roster->ctl(), 2, qr/usage:/, 'no command is a wrong call';
ends_with $roster->ctl('--help'), 0, qr/^  user list /m, '--help lists the commands';
ends_with $roster->ctl('--version'), 0, qr/^rosterctl \d/, '--version';
ends_with $roster->ctl('usr', 'list'), 2, qr/did you mean `user list'/, 'a mistyped command gets a hint';
ends_with $roster->ctl(split / /, $_->[0]), 2, qr/did you mean `$_->[1]'\?$/, "$_->[0] gets $_->[1]"
    for ['user rename', 'user set'], ['user delet', 'user delete'], ['user dele', 'user delete'],
    ['key revoke', 'key delete'], ['dump', 'backup'];
for my $words ('user recite', 'group relate', 'session edit', 'restart', 'secret require') {
    my $hint = $roster->ctl(split / /, $words);
    is $hint->{status}, 2, "$words is no command";
    unlike $hint->{err}, qr/did you mean `(?:\w+ (?:delete|logout|disable|end|retire|remove-member)|restore)'/,
        '... and nothing that deletes is proposed for it';
}
ends_with $roster->ctl('user'), 2, qr/user passwd/, 'half a command lists what may follow';
ends_with $roster->ctl('user', 'add', '--nmae', 'x'), 2, qr/did you mean --name/, 'a mistyped option gets a hint';
ends_with $roster->ctl('user', 'add', '--help'), 0, qr/--random-password/, 'a command shows its options';
ends_with $roster->ctl('help', 'user', 'add'), 0, qr/--random-password/, 'help does, too';
ends_with $roster->ctl('help', 'group'), 0, qr/group add-member/, 'help shows all commands of a group';
ends_with $roster->ctl('help', 'nothing'), 2, qr/unknown command `nothing'/, 'help for what there is not';
ends_with $roster->ctl('user', 'show'), 2, qr/usage: rosterctl user show USER/, 'an argument that is missing';
ends_with $roster->ctl('user', 'add', '--email', 'a@example.org'), 2, qr/needs --name/, 'an option that is missing';
ends_with $roster->ctl('user', 'add', '--email'), 2, qr/--email needs a value/, 'a value that is missing';
ends_with $roster->ctl('user', 'role', 'x', 'root'), 2, qr/is not a valid ROLE: use one of: pending user admin/,
    'a word that is none of those that may stand there';
ends_with $roster->ctl('completion', 'csh'), 2, qr/one of: bash zsh/, 'a shell without completion';
ends_with $roster->ctl('openapi', '--quiet=yes'), 2, qr/takes no value/, 'a switch takes no value';
ends_with $roster->ctl('-qj', 'status'), 2, qr/one by one/, 'letters are given one by one';
ends_with $roster->ctl('user', 'list', '--', '--json'), 0, qr/^ID /, 'behind -- everything is an argument';
is $roster->ctl('-c', '/proc/none', 'config', 'check')->{status}, 4, 'a configuration that is not there';

# ---- The first account ----

ends_with $roster->ctl('user', 'add', '--email', 'x', '--name', 'X', '--random-password'), 6, qr/not an email address/,
    'what is no email address is refused';
ends_with $roster->ctl('user', 'add', '--email', 'ada@example.org', '--name', 'Ada', '--role', 'user',
    '--random-password'), 6,
    qr/administrator's/, 'the first account can only be an administrator\'s';
ends_with $roster->ctl('user', 'add', '--email', 'ada@example.org', '--name', 'Ada'), 2,
    qr/--password-stdin, --random-password or --one-time-password/,
    'without a terminal there must be a way to the password';
ends_with $roster->ctl('user', 'add', '--email', 'ada@example.org', '--name', 'Ada', '--password-stdin',
    {input => "short\n"}), 6, qr/password/,
    'a password that breaks the rules is refused';
ends_with $roster->ctl('user', 'add', '--email', 'ada@example.org', '--name', 'Ada', '--password-stdin', {input => ''}),
    2,
    qr/no line/, 'no password at all';
is $roster->sql('SELECT COUNT(*) FROM user'), 0, 'nobody was made by all this';

my $made = $roster->ctl('user', 'add', '--email', ' Ada@Example.org', '--name', 'Ada Lovelace', '--random-password');
is $made->{status}, 0, 'the first account is made' or diag $made->{err};
like $made->{out}, qr/\A[A-Za-z0-9]{20}\n\z/, 'standard output holds the password alone';
like $made->{err}, qr/first account.*ada\@example\.org.*Sign-up is closed/, 'standard error says what was done';
chomp(my $password = $made->{out});
$roster->secret($password);
my $ada = ($roster->rows('SELECT * FROM user'))[0];
is $ada->{role}, 'admin', 'it is an administrator\'s';
is $ada->{email}, 'ada@example.org', 'its email address is in lower case';
my $session = $roster->sign_in('ada@example.org', password => $password);
is $session->{status}, 200, 'one can sign in with the password' or diag $session->{body};
is_problem $roster->request(
    POST => '/auths/signup',
    json => {email => 'eve@example.org', password => 'a long password', name => 'Eve'}
    ),
    403,
    'ACCESS_PROHIBITED', 'sign-up is closed';

# ---- More accounts ----

ends_with $roster->ctl('user', 'add', '--email', 'bob@example.org', '--name', 'Bob', '--random-password'), 2,
    qr/--role/,
    'a later account needs a role';
ends_with $roster->ctl('user', 'add', '--email', 'ADA@example.org', '--name', 'A', '--role', 'user',
    '--random-password'), 6,
    qr/Another account/, 'a taken address is refused';
ends_with $roster->ctl(
    'user', 'add', '--email', 'bob@example.org', '--name', 'Bob', '--role', 'user', '--random-password',
    '--password-stdin'
    ),
    2,
    qr/can't be used together/, 'two ways to a password are one too many';
$roster->secret('correct horse battery');
my $bob = $roster->ctl_json('user', 'add', '--email', 'bob@example.org', '--name', 'Bob', '--role', 'user',
    '--password-stdin', {input => "correct horse battery\nrest"});
is_deeply [sort keys %$bob], [qw(email id role)], 'JSON of a new account does not repeat a password that was given';
is $roster->sign_in('bob@example.org', password => 'correct horse battery')->{status}, 200,
    'the first line is the password';
my $random = $roster->ctl_json(
    'user', 'add', '--email', 'carol@example.org',
    '--name', "Carol \xc3\xa4", '--role', 'pending',
    '--random-password');
$roster->secret($random->{password});
is length $random->{password}, 20, 'JSON holds a password that was made';
# A name as rows that were moved over may have it: nobody can type it any more.
$roster->sql(
    'UPDATE user SET name = ?, info = ? WHERE email = ?', "Carol \e[31m\x{9b}2J\x{202e}ä",
    qq({"\x{9b}":"\x{9b}1m"}), 'carol@example.org');
ends_with $roster->ctl('user', 'add', '--email', 'x@example.org', '--name', "X\e[31m", '--role', 'user',
    '--no-password'), 2,
    qr/control characters/, 'a control character is no part of a name';
my $dora =
    $roster->ctl('--quiet', 'user', 'add', '--email', 'dora@example.org', '--name', 'Dora', '--role', 'user',
    '--no-password');
like $dora->{out}, qr/\A[0-9a-f-]{36}\n\z/, '--quiet prints the id';
is $dora->{err}, '', 'and no remark';

# ---- Lists ----

# As if they had not all been made within one second.
$roster->sql('UPDATE user SET created_at = created_at - ? WHERE email = ?', $_->[1], "$_->[0]\@example.org")
    for ['ada', 40], ['bob', 30], ['carol', 20], ['dora', 10];

my $list = $roster->ctl_json('user', 'list');
is_deeply [map { $_->{email} } @$list], [map { "$_\@example.org" } qw(ada bob carol dora)],
    'the list is in the order of making';
ok exists $list->[0]{settings}, 'its rows are whole users';
ends_with $roster->ctl('user', 'list', 'BOB'), 0, qr/\AID +NAME .*\n\S+ +Bob +bob\@example\.org +user .*\n\z/,
    'a part of the name selects';
is_deeply [split /\n/, $roster->ctl('--quiet', 'user', 'list', '--order', 'name', '--descending')->{out}],
    [map { $_->{id} } reverse @$list], '--quiet lists ids, in any order';
unlike $roster->ctl('user', 'list')->{out}, qr/\e|\xc2[\x80-\x9f]|\xe2\x80\xae/,
    'control characters of names do not get to the terminal';
like $roster->ctl('user', 'list')->{out}, qr/Carol /, '... and the name does';
unlike $roster->ctl('--json', 'user', @$_)->{out}, qr/\xc2[\x80-\x9f]|\xe2\x80\xae/, "... nor those of JSON: @$_"
    for ['list'], ['show', 'carol@example.org'];
is_deeply [@{$roster->ctl_json('user', 'show', 'carol@example.org')}{qw(name info)}],
    ["Carol \e[31m\x{9b}2J\x{202e}ä", {"\x{9b}" => "\x{9b}1m"}], '... which has them all the same, escaped';
is $roster->ctl('user', 'list', 'nobody')->{status}, 0, 'an empty list is no failure';
is_deeply $roster->ctl_json('user', 'list', 'nobody'), [], 'and is an empty list in JSON';

# More people than a request has memory for.
my $small = File::Temp->new;
print {$small} Roster::Database::slurp($roster->config_file) =~ s/^\[/request_memory_limit = 1m\n[/mr;
$small->flush;
$roster->sql(
    q{INSERT INTO user (id, email, name, role, created_at) SELECT CONCAT('many', seq), CONCAT(seq, '@many.example.org'),
    CONCAT('Many ', seq % 7), 'user', 9 FROM seq_1_to_1501});
my @many = map { $_->[0] } $roster->sql(q{SELECT id FROM user WHERE id LIKE 'many%' ORDER BY name DESC, id DESC});
my @small = ('rosterctl', '-c', $small->filename);
is_deeply [$roster->run_program(@small, qw(--quiet user list many --order name --descending))],
    [0, join '', map { "$_\n" } @many], 'a list of many takes no more memory than a page';
is scalar @{$json->decode(($roster->run_program(@small, qw(--json user list many)))[1])}, 1501, '... nor as JSON';
$roster->sql(q{DELETE FROM user WHERE id LIKE 'many%'});

ends_with $roster->ctl('user', 'show', 'bob@example.org'), 0,
    qr/^email +bob\@example\.org\n.*^groups +-\n.*^sessions +1$/ms,
    'a user by email address';
is $roster->ctl_json('user', 'show', $bob->{id})->{session_count}, 1, 'a user by id, in JSON';
ends_with $roster->ctl('user', 'show', 'nobody@example.org'), 3, qr/no such user/, 'somebody whom there is not';
is $roster->ctl_json('user', 'show', 'Dora@example.org')->{name}, 'Dora',
    'an account without a password is found by its address';

# ---- Changes ----

ends_with $roster->ctl('user', 'set', 'bob@example.org'), 2, qr/nothing to change/, 'a change needs to be one';
is $roster->ctl(
    'user', 'set', 'bob@example.org', '--name', 'Robert', '--email',
    'Robert@example.org', '--timezone', 'Europe/Vienna'
)->{status}, 0, 'name, address and zone change';
is_deeply [@{$roster->ctl_json('user', 'show', $bob->{id})}{qw(name email timezone role)}],
    ['Robert', 'robert@example.org', 'Europe/Vienna', 'user'], 'they have changed, the role has not';
ends_with $roster->ctl('user', 'set', $bob->{id}, '--email', 'ada@example.org'), 6, qr/Another account/,
    'to a taken address nobody changes';
is $roster->request(GET => '/auths/', token => $session->{json}{token})->{status}, 200, 'Ada is signed in';
ends_with $roster->ctl('user', 'role', 'ada@example.org', 'user'), 6, qr/oldest account/,
    'the oldest account stays an administrator\'s';
my $robert = $roster->sign_in('robert@example.org', password => 'correct horse battery')->{json};
ends_with $roster->ctl('user', 'role', $bob->{id}, 'admin'), 0, qr/now has the role admin/, 'a role changes';
is_problem $roster->get('/auths/', $robert), 401, 'INVALID_TOKEN', 'which ends the sessions';
ends_with $roster->ctl('user', 'role', $bob->{id}, 'admin'), 0, qr/already/, 'twice is no failure';

$robert = $roster->sign_in('robert@example.org', password => 'correct horse battery')->{json};
my $sessions = $roster->ctl_json('user', 'sessions', $bob->{id});
is @$sessions, 1, 'one session lives';
ends_with $roster->ctl('user', 'logout', $bob->{id}, '--session', 'nothing'), 3, qr/no such session/,
    'a session that there is not';
is $roster->ctl('user', 'logout', $bob->{id}, '--session', $sessions->[0]{jti})->{status}, 0, 'one session is ended';
is_problem $roster->get('/auths/', $robert), 401, 'INVALID_TOKEN', 'its token is refused';
sleep 1;    # a token must be younger than the end of all sessions
my $foreign = $roster->token_for($bob->{id});
is $roster->get('/auths/', $foreign)->{status}, 200, 'a token of another program works';
ends_with $roster->ctl('user', 'logout', $bob->{id}), 0, qr/Ended all sessions/, 'everything is ended';
is_problem $roster->get('/auths/', $foreign), 401, 'INVALID_TOKEN', 'that token, too';

my $changed = $roster->ctl('user', 'passwd', 'ada@example.org', '--random-password');
chomp(my $other = $changed->{out});
$roster->secret($other);
is $changed->{status}, 0, 'a password changes' or diag $changed->{err};
is_problem $roster->sign_in('ada@example.org', password => $password), 400, 'INVALID_CRED', 'the old one is refused';
is $roster->sign_in('ada@example.org', password => $other)->{status}, 200, 'the new one is good';
is_problem $roster->request(GET => '/auths/', token => $session->{json}{token}), 401, 'INVALID_TOKEN',
    'the sessions are over';
is $roster->ctl('user', 'passwd', 'dora@example.org', '--password-stdin', {input => 'correct horse battery'})->{status},
    0,
    'who had no password gets one';
is $roster->sign_in('dora@example.org', password => 'correct horse battery')->{status}, 200, 'and can sign in';

# ---- On a terminal ----

# With a terminal on all channels, by util-linux' script; gives the exit status and everything that was to be seen. Each
# line of the input is typed when something more has been asked.
sub on_terminal ($input, @arguments) {
    my $command = join ' ', map { "'" . s/'/'\\''/gr . "'" } "$Roster::build/rosterctl", '-c', $roster->config_file,
        @arguments;
    my $out = File::Temp->new;
    open my $typist, '|-', 'script', '-qefc', $command, $out->filename or die "script: $!\n";
    open my $null, '>', '/dev/null';
    $typist->autoflush;
    my $seen = 0;
    for my $line (split /^/, $input) {
        wait_until(10,
            sub { (() = Roster::Database::slurp($out->filename) =~ /(?:password|again): |\[y\/N\] /g) > $seen });
        $seen++;
        print {$typist} $line;
    }
    close $typist;
    return {status => $? >> 8, out => Roster::Database::slurp($out->filename)};
}

SKIP: {
    skip 'there is no script(1)', 9 if !grep { -x "$_/script" } split /:/, $ENV{PATH};
    open my $screen, '>&', \*STDOUT or die "dup: $!\n";
    open STDOUT, '>', '/dev/null';
    $roster->secret('typed by hand');
    my $typed = on_terminal("typed by hand\ntyped by hand\n", 'user', 'passwd', 'dora@example.org');
    my $different = on_terminal("typed by hand\nsomething else\n", 'user', 'passwd', 'dora@example.org');
    my $no = on_terminal("n\n", 'user', 'delete', 'carol@example.org');
    my $yes = on_terminal("y\n", 'user', 'delete', 'carol@example.org');
    open STDOUT, '>&', $screen;
    is $typed->{status}, 0, 'a password is typed, twice' or diag $typed->{out};
    unlike $typed->{out}, qr/typed by hand/, '... and never shown';
    is $roster->sign_in('dora@example.org', password => 'typed by hand')->{status}, 200, '... and is good';
    is $different->{status}, 2, 'two different passwords are refused' or diag $different->{out};
    is $no->{status}, 6, 'who says no' or diag $no->{out};
    like $no->{out}, qr/Delete Carol .*with all data of this user\? \[y\/N\]/, '... was asked';
    like $no->{out}, qr/nothing was done/, '... and nothing is done';
    is $yes->{status}, 0, 'who says yes' or diag $yes->{out};
    is $roster->sql('SELECT COUNT(*) FROM user WHERE email = ?', 'carol@example.org'), 0, '... has it done';
    $roster->ctl('user', 'passwd', 'dora@example.org', '--password-stdin', {input => 'correct horse battery'});
}

# ---- Groups ----

ends_with $roster->ctl('group', 'add', 'Team', '--description', 'Those who work'), 0, qr/Created the group Team/,
    'a group is made';
my $group = $roster->ctl_json('group', 'list')->[0];
is_deeply [@$group{qw(name description member_count user_id)}], ['Team', 'Those who work', 0, $ada->{id}],
    'it is listed, and belongs to the oldest account';
ends_with $roster->ctl('group', 'add-member', 'Team', 'robert@example.org', 'nobody@example.org'), 3, qr/no such user/,
    'somebody unknown stops it';
is $roster->ctl_json('group', 'list')->[0]{member_count}, 0, 'before anything is done';
ends_with $roster->ctl('group', 'add-member', 'Team', 'robert@example.org', 'dora@example.org'), 0, qr/2 users/,
    'two members';
is_deeply [sort map { $_->{name} } @{$roster->ctl_json('group', 'show', $group->{id})->{members}}], [qw(Dora Robert)],
    'both are shown';
is $roster->ctl('--quiet', 'group', 'list', 'dora@example.org')->{out}, "$group->{id}\n", 'groups of a user';
ends_with $roster->ctl('group', 'remove-member', $group->{id}, 'dora@example.org'), 0, qr/: removed Dora/, 'one leaves';
$roster->sql('INSERT INTO `group` (id, user_id, name) VALUES (?, ?, ?)', 'second', $ada->{id}, 'Team');
ends_with $roster->ctl('group', 'show', 'Team'), 2, qr/2 groups have the name/,
    'a name that two groups have is refused';
ends_with $roster->ctl('group', 'show', 'Nothing'), 3, qr/no such group/, 'a group that there is not';
ends_with $roster->ctl('group', 'delete', 'second'), 2, qr/add --yes/,
    'nothing is destroyed without a terminal or --yes';
is $roster->ctl('group', 'delete', 'second', '--yes')->{status}, 0, 'with --yes it is';
is @{$roster->ctl_json('group', 'list')}, 1, 'one group is left';

# ---- Permissions ----

ends_with $roster->ctl('permissions', 'show'), 0, qr/^chat\.delete +yes$/m, 'what everybody may do';
is $roster->ctl_json('permissions', 'show', 'dora@example.org')->{features}{api_keys}, JSON::PP::false,
    'what one user may do';
ends_with $roster->ctl('permissions', 'default', 'chat.dleete=no'), 3, qr/did you mean `chat\.delete'/,
    'a mistyped permission gets a hint';
ends_with $roster->ctl('permissions', 'default', 'chat.delete=perhaps'), 2, qr/chat\.delete=yes/,
    'an answer is yes or no';
is $roster->ctl('permissions', 'default', 'chat.delete=no', 'workspace.tools=yes')->{status}, 0,
    'what everybody may do changes';
my $token = $roster->sign_in('dora@example.org', password => 'correct horse battery')->{json}{token};
my $own = $roster->get('/users/permissions', $token)->{json};
is_deeply [$own->{chat}{delete}, $own->{workspace}{tools}, $own->{chat}{edit}],
    [JSON::PP::false, JSON::PP::true, JSON::PP::true], 'the service says the same at once';
is $roster->ctl('permissions', 'group', 'Team', 'features.api_keys=yes')->{status}, 0, 'a group gives a permission';
is_deeply $roster->ctl_json('permissions', 'group', 'Team'), {features => {api_keys => JSON::PP::true}},
    'that is all that it gives';
like $roster->ctl('-q', 'permissions', 'show', 'robert@example.org')->{out}, qr/^features\.api_keys$/m,
    'its member has it; --quiet lists what is granted';
unlike $roster->ctl('-q', 'permissions', 'show', 'dora@example.org')->{out}, qr/^features\.api_keys$/m,
    'who left has it not';

# ---- API keys ----

my $key = $roster->ctl('key', 'add', 'robert@example.org');
like $key->{out}, qr/\Ask-[0-9a-f]{32}\n\z/, 'a key is made, and is alone on standard output';
like $key->{err}, qr/switched off/, 'a remark says that keys are switched off';
chomp(my $primary = $key->{out});
$roster->secret($primary);
$roster->sql(
    q(UPDATE config SET data = JSON_SET(JSON_MERGE_PATCH('{"auth":{}}', data), '$.auth.enable_api_keys', TRUE)));
is $roster->request(GET => '/users/user/info', headers => ['x-api-key', $primary])->{status}, 200,
    'the key works once they are on';
ends_with $roster->ctl('key', 'add', 'robert@example.org', '--expires', '1d'), 2, qr/need --name/,
    'only named keys expire';
ends_with $roster->ctl('key', 'add', 'robert@example.org', '--name', 'x', '--expires', 'soon'), 2,
    qr/is not a valid duration/,
    'a time that is none';
ends_with $roster->ctl('key', 'add', 'robert@example.org', '--name', 'x', '--routes', 'users'), 2, qr/slash/,
    'a path that is none';
my $named = $roster->ctl_json('key', 'add', 'robert@example.org', '--name', 'Backup', '--expires', '2d', '--routes',
    '/api/v1/users/all/, /groups');
$roster->secret($named->{api_key});
is $roster->request(GET => '/users/all', headers => ['x-api-key', $named->{api_key}])->{status}, 200,
    'a named key works on its paths';
is_problem $roster->request(GET => '/users/', headers => ['x-api-key', $named->{api_key}]), 403,
    'API_KEY_ENDPOINT_NOT_ALLOWED', 'and on no others';
my $keys = $roster->ctl_json('key', 'list', 'robert@example.org');
is_deeply [map { $_->{id} } @$keys], ['primary', $named->{id}], 'both are listed';
is_deeply $keys->[1]{routes}, ['/users/all', '/groups'], 'with the paths';
cmp_ok abs($keys->[1]{expires_at} - time - 2 * 86400), '<', 60, 'and the end';
like $keys->[0]{api_key}, qr/\Ask-…[0-9a-f]{4}\z/, 'masked';
ends_with $roster->ctl('key', 'delete', 'robert@example.org', 'nothing', '-y'), 3, qr/no such/i,
    'a key that there is not';
is $roster->ctl('key', 'delete', 'robert@example.org', $_, '--yes')->{status}, 0, "the key $_ is removed"
    for 'primary', $named->{id};
is_deeply $roster->ctl_json('key', 'list', 'robert@example.org'), [], 'none is left';
is_problem $roster->request(GET => '/users/all', headers => ['x-api-key', $primary]), 401, 'INVALID_TOKEN',
    'the key works no more';

# ---- Tokens ----

ends_with $roster->ctl('token', {input => "Bearer $token\n"}), 0, qr/^payload .*"jti".*^ACCEPTED/ms, 'a good token';
my $said = $roster->ctl_json('token', {input => $token});
my ($header, $payload) = delete @$said{qw(header payload)};
is $header->{alg}, 'HS256', '... its first part in JSON';
ok exists $payload->{jti} && exists $payload->{exp}, '... its second part';
is_deeply $said, {accepted => JSON::PP::true, code => undef, reason => undef}, '... is accepted';
$said = $roster->ctl('--json', 'token', {input => 'a.b.c'})->{json};
is_deeply [@$said{qw(header payload)}], [undef, undef], 'what can\'t be read is null';
ends_with $roster->ctl('token', {input => $roster->token_for($bob->{id}, exp => time - 10)}), 6, qr//,
    'an old one is refused';
sleep 1;    # the token without an end must be newer than the end of all sessions above
my %reasons = (
    'is over' => [$roster->token_for($bob->{id}, exp => time - 10), 'UNAUTHORIZED', qr/expired/],
    'has a wrong signature' => [$roster->jwt({id => $bob->{id}}, signature => 'x' x 43), 'UNAUTHORIZED', qr/sign/],
    'is no token' => ['nonsense', 'UNAUTHORIZED', qr/./],
    'is of somebody who is gone' => [$roster->token_for('nobody'), 'INVALID_TOKEN', qr/user does not exist/],
    'was issued before all sessions were ended' => [$foreign, 'INVALID_TOKEN', qr/ended/],
    'has no end' => [$roster->token_for($bob->{id}, exp => undef, iat => time), 'UNAUTHORIZED', qr/never expires/],
    'is an unknown key' => ['sk-' . '0' x 32, 'INVALID_TOKEN', qr/no such API key/]);
for my $case (sort keys %reasons) {
    my ($text, $code, $pattern) = @{$reasons{$case}};
    my $result = $roster->ctl('--json', 'token', {input => $text});
    my $said = $result->{json} // {};
    is $result->{status}, 6, "refused: what $case" or diag $result->{out} . $result->{err};
    is $said->{code}, $code, "... with $code";
    like $said->{reason}, $pattern, '... for the right reason';
    is_problem $roster->get('/auths/', $text), 401, $code, '... and the service says the same';
}
sleep 1;
# For a request: as the service itself judges it.
my $chief = $roster->add_user(role => 'admin', created_at => time);
my $newcomer = $roster->add_user(role => 'pending', created_at => time);
for my $case (
    [$token, 'GET', '/users/all'],
    [$chief->{token}, 'GET', '/users/all'],
    [$newcomer->{token}, 'GET', '/users/permissions'],
    [$newcomer->{token}, 'GET', '/auths/'],
    [$token, 'GET', '/api/v1/users/user/info/?x=1'],
    [$token, 'DELETE', "/users/$newcomer->{id}"],
    [$chief->{token}, 'GET', '/nowhere'],
    [$chief->{token}, 'GET', '/users/user/info/update'],
    [$roster->token_for('nobody'), 'GET', '/users/all'])
{
    my ($who, $method, $path) = @$case;
    my $answer = $roster->ask($method => $path, $who);
    my $said = $roster->ctl('--json', 'token', '--path', $path, '--method', $method, {input => $who});
    my $decoded = $said->{json};
    is_deeply [$said->{status}, $decoded->{accepted} ? 1 : 0, $decoded->{code}, @$decoded{qw(method path)}],
        [
        $answer->{status} == 200 ? 0 : 6,
        $answer->{status} == 200 ? 1 : 0,
        $answer->{json}{code},
        $method,
        $path =~ s/\?.*//r
        ],
        "the service and rosterctl judge $method $path alike"
        or diag $said->{out}, $answer->{body};
}
# Keys: a list of paths, and what takes a session alone.
my $settings = $roster->settings($chief);
is $roster->post('/auths/admin/config', $chief, {%$settings, ENABLE_API_KEYS => JSON::PP::true})->{status}, 200,
    'keys are on';
my %keys = map {
    my $made = $roster->ctl_json('key', 'add', $chief->{id}, '--name', 'K', @$_);
    $roster->secret($made->{api_key});
    (($_->[1] // 'any') => $made->{api_key})
} [], ['--routes', '/users/all'];
for my $case (
    ['any', 'GET', '/users/all'],
    ['any', 'GET', '/auths/'],
    ['any', 'POST', '/auths/api_key'],
    ['any', 'DELETE', '/auths/sessions'],
    ['/users/all', 'GET', '/users/all/'],
    ['/users/all', 'GET', '/auths/'],
    ['/users/all', 'GET', '/nowhere'])
{
    my ($which, $method, $path) = @$case;
    my $answer = $roster->request($method => $path, headers => ['x-api-key' => $keys{$which}]);
    my $said = $roster->ctl('--json', 'token', '--path', $path, '--method', $method, {input => $keys{$which}});
    my $decoded = $said->{json};
    is_deeply [$said->{status}, $decoded->{code}],
        [$answer->{status} == 200 ? 0 : 6, ref $answer->{json} eq 'HASH' ? $answer->{json}{code} : undef],
        "$method $path with a key for $which: alike"
        or diag $said->{out}, $answer->{body};
}
is $roster->post('/auths/admin/config', $chief, $settings)->{status}, 200, 'and off again';
like $roster->ctl('token', '--path', '/users/all', {input => $token})->{out},
    qr/^REFUSED with ACCESS_PROHIBITED: Your account may not do this; an administrator can\.$/m, 'a role that may not';
ends_with $roster->ctl('token', '--path', '/users/user/info/update', {input => $token}), 0,
    qr{^ACCEPTED for POST /users/user/info/update\.$}m, 'the method is the one that the path takes';
like $roster->ctl('token', '--path', '/users/user/info/update', '--method', 'GET', {input => $token})->{out},
    qr/METHOD_NOT_ALLOWED.*^methods +POST, OPTIONS$/ms, '... or the one that was asked about';
ends_with $roster->ctl('token', '--path', '/auths/signin', {input => $token}), 0,
    qr{^ACCEPTED for POST /auths/signin\. This request needs no token}m, 'a path for everybody';
like $roster->ctl('token', '--path', '/auths/signin', {input => 'nonsense'})->{out}, qr/^REFUSED with UNAUTHORIZED/m,
    '... where a bad token is bad all the same';
ends_with $roster->ctl('token', '--path', 'users', {input => $token}), 2, qr/start with a slash/, 'what is no path';
ends_with $roster->ctl('token', '--method', 'GET', {input => $token}), 2, qr/--path/, 'a method without a path';

my $revoked = $roster->token_for($bob->{id}, jti => 'away');
$roster->redis('SET', 'open-webui:auth:token:away:revoked', 1);
ends_with $roster->ctl('token', {input => $revoked}), 6, qr//, 'a token that Redis knows to be revoked';
like $roster->ctl('token', {input => $revoked})->{out}, qr/^REFUSED with INVALID_TOKEN: it is revoked in Redis/m,
    '... and it says so';

# ---- What it can tell of itself ----

ends_with $roster->ctl('completion', 'bash'), 0, qr/^complete -F _rosterctl rosterctl$/m, 'a completion for bash';
ends_with $roster->ctl('completion', 'zsh'), 0, qr/\A#compdef rosterctl$/m, '... and for zsh';
ends_with $roster->ctl('manual', 'rosterctl', '--directory', "$roster->{source}/man"), 0, qr/^\.It Ic user list/m,
    'its manual';
ends_with $roster->ctl('manual', 'rosterctl', '--directory', '/proc/none'), 1, qr{/proc/none/rosterctl},
    '... which is not there';

# ---- The service ----

ends_with $roster->ctl('status'), 0, qr/^Up .*^POOL .*^api .*^password .*^ROUTE .*^sign_in /ms, 'the status';
cmp_ok $roster->ctl_json('status')->{requests}, '>', 10, 'the same in JSON';
is $roster->ctl('-q', 'status')->{out}, '', '--quiet only asks';
my $top = $roster->ctl('top', '--interval', '0.2', '--count', '2');
is $top->{status}, 0, 'top ends after its count' or diag $top->{err};
is scalar(() = $top->{out} =~ /^POOL/mg), 2, 'and shows the pools each time';
SKIP: {
    skip 'there is no script(1)', 2 if !grep { -x "$_/script" } split /:/, $ENV{PATH};
    my $command = "$Roster::build/rosterctl -c " . $roster->config_file . ' top --interval 0.3 --count 200';
    my $pid = IPC::Open2::open2(my $screen, my $keys, 'timeout', 60, 'script', '-qec', $command, '/dev/null');
    my $seen = '';
    while (my $line = readline $screen) {
        $seen .= $line;
        last if $line =~ /^q leaves/;
    }
    like $seen, qr/^q leaves\r?$/m, 'top says how to leave';
    print {$keys} 'q';
    $keys->flush;
    my $more = do { local $/ = undef; readline $screen };
    waitpid $pid, 0;
    is $?, 0, '... and q does' or diag $more;
}
ends_with $roster->ctl('top', '--count', 'x'), 2, qr/is not a number/, 'a count that is none';

my $doctor = $roster->ctl('doctor', '--nginx-directory', $roster->directory . '/nginx');
like $doctor->{out}, qr/^ok +service +pool $_ answers/m, "doctor: pool $_ answers" for @Roster::POOLS;
like $doctor->{out}, qr/^ok +dependencies +MariaDB .* answers/m, 'doctor: MariaDB answers';
like $doctor->{out}, qr/^ok +accounts/m, 'doctor: there are accounts';
is $doctor->{status}, 0, 'doctor: nothing to fix' or diag $doctor->{out};
is_deeply [grep { $_->{state} !~ /^(?:ok|unseen|warning|error)$/ } @{$roster->ctl('-j', 'doctor')->{json}}], [],
    'doctor in JSON';

# ---- Set-up ----

ends_with $roster->ctl('migrate', '--directory', "$roster->{source}/sql"), 0, qr/./, 'migrating again changes nothing';
ends_with $roster->ctl('migrate', '--check', '--directory', "$roster->{source}/sql"), 0, qr/up to date/,
    'and there is nothing to do';
my $version = $roster->ctl_json('migrate', '--check', '--directory', "$roster->{source}/sql");
is_deeply $version, {version => $version->{newest}, newest => 0 + (() = glob "$roster->{source}/sql/*.sql")},
    '... with the versions';
is_deeply $roster->ctl_json('migrate', '--directory', "$roster->{source}/sql"), {version => $version->{newest}},
    'the version after migrating, in JSON';
ends_with $roster->ctl('config', 'check'), 0, qr/is valid/, 'the configuration is valid';
like $roster->ctl('config', 'dump')->{out}, qr/^database_name = roster$/m, 'the configuration in effect';
unlike $roster->ctl('config', 'dump')->{out}, qr/\Q$roster->{key}\E/, '... without the key';
like $roster->ctl('config', 'sample')->{out}, qr/^# *secret_key_file = /m, 'the sample';
ends_with $roster->ctl('directive', 'nice'), 0, qr/^  Default:  0 in \[api\]\n  Default:  10 in \[password\]$/m,
    'a directive';
ends_with $roster->ctl('directive', 'workers'), 0, qr/^  Default:  0$/m, '... whose default is the same in all pools';
ends_with $roster->ctl('directive', 'wrokers'), 3, qr/did you mean `workers'/, 'a mistyped directive gets a hint';
my $directive = $roster->ctl_json('directive', 'redis_timeout');
like delete $directive->{text}, qr/^How long Redis/, '... with its text';
is_deeply $directive,
    {
    name => 'redis_timeout',
    type => 'MILLISECONDS',
    default => '500ms',
    least => 10,
    most => 60000,
    pool => JSON::PP::false,
    restart => JSON::PP::false
    },
    '... and all else';
is_deeply $roster->ctl_json('directive', 'workers')->{default}, {map { ($_ => '0') } @Roster::POOLS},
    'one of pools, by pool';
is_deeply [map { $_->{name} } grep { $_->{name} =~ /^workers$|^redis_timeout$/ } @{$roster->ctl_json('directive')}],
    [qw(redis_timeout workers)], 'all in JSON';

my @templates = ('--templates', "$roster->{source}/nginx");
like $roster->ctl('nginx', 'upstream', @templates)->{out}, qr/server unix:\Q@{[$roster->socket_path('api')]}\E /,
    'the upstream names the socket';
like $_->{out}, qr/^[a-z].*;$/m, 'parts of its configuration'
    for $roster->ctl('nginx', 'snippet', @templates), $roster->ctl('nginx', 'fastcgi', @templates),
    $roster->ctl('nginx', 'headers', @templates);
ends_with $roster->ctl('nginx', 'site', @templates), 2, qr/--server-name/, 'a site needs a name';
my $directory = File::Temp->newdir;
is $roster->ctl('nginx', 'write', "$directory", @templates,
    qw(--server-name users.example.org --tls-certificate /c --tls-key /k))->{status}, 0, 'all files are written';
my @protect = map { s{.*/}{roster/}r } glob "$roster->{source}/nginx/roster/*";
is_deeply [sort map { s{^\Q$directory\E/}{}r } grep { -f } glob "$directory/* $directory/*/*"],
    [sort @protect, map { "roster$_.conf" } qw(-fastcgi -headers -locations -pages -upstream), ''],
    '... and no others';
unlike join('', map { Roster::Database::slurp($_) } grep { -f } glob "$directory/* $directory/*/*"),
    qr/^[^#]*\@[A-Z_]+\@/m,
    '... with nothing left to fill in';
like Roster::Database::slurp("$directory/roster.conf"), qr{include \Q$directory\E/roster-},
    '... and refer to each other there';
like Roster::Database::slurp("$directory/roster.conf"), qr/^ *listen 443 ssl http2;$/m,
    '... with HTTP/2 as nginx before 1.25.1 has it';
for my $case (['1.25.0', 0], ['nginx version: nginx/1.25.1', 1], ['1.26.0', 1], ['2.0.0', 1]) {
    my ($version, $is_directive) = @$case;
    my $site = $roster->ctl('nginx', 'site', @templates, '--nginx-version', $version,
        qw(--server-name users.example.org --tls-certificate /c --tls-key /k))->{out};
    is scalar(() = $site =~ /^ *listen \S+ ssl http2;$/mg), $is_directive ? 0 : 2,
        "nginx $version: HTTP/2 " . ($is_directive ? 'by no parameter' : 'by a parameter');
    is scalar(() = $site =~ /^ *http2 on;$/mg), $is_directive,
        '... and the directive ' . ($is_directive ? 'once' : 'not');
}
ends_with $roster->ctl('nginx', 'check', '--directory', "$directory"), 0, qr/matches roster\.conf/,
    'they go with the configuration';
for my $case (
    # [what nginx has, what is said of it]
    ['fastcgi_read_timeout 59s;', qr/^warning .*fastcgi_read_timeout is 59 s, not above \[password\]/m],
    ['fastcgi_read_timeout 1m;', qr/^warning .*fastcgi_read_timeout is 60 s, not above \[password\]/m],
    ['fastcgi_read_timeout 60;', qr/^warning .*fastcgi_read_timeout is 60 s, not above \[password\]/m],
    ['fastcgi_read_timeout 61000ms; # roster', qr/matches roster\.conf/],
    ['client_max_body_size 2M;', qr/^warning .*client_max_body_size is 2097152, request_body_limit is 4194304/m],
    ['client_max_body_size 4096k;', qr/matches roster\.conf/],
    ['# client_max_body_size 2m;', qr/matches roster\.conf/],)
{
    my ($line, $said) = @$case;
    Roster::Database::write_file("$directory/roster-limits.conf", "$line\n");
    ends_with $roster->ctl('nginx', 'check', '--directory', "$directory"), 0, $said, "... $line";
}
Roster::Database::write_file("$directory/roster-limits.conf", "server_name \@SERVER_NAME\@;\n");
is $roster->ctl('nginx', 'check', '--directory', "$directory")->{status}, 1, '... one error is enough';
unlink "$directory/roster-limits.conf";
Roster::Database::write_file("$directory/other.conf", "server unix:/elsewhere;\nclient_max_body_size 1m;\n");
ends_with $roster->ctl('nginx', 'check', '--directory', "$directory"), 0, qr/matches roster\.conf/,
    "... and other sites' limits are theirs";
unlink "$directory/other.conf";
Roster::Database::write_file("$directory/roster-upstream.conf",
    "upstream roster_api { server unix:/elsewhere; }\nserver_name \@SERVER_NAME\@;\n");
my $check = $roster->ctl('nginx', 'check', '--directory', "$directory");
is $check->{status}, 1, 'files that do not go with it are found';
like $check->{out}, $_, "... $_"
    for qr/^error .*nothing in .* passes requests to .*api\.sock/m, qr/^error .*still contains \@SERVER_NAME\@/m;

my $private = File::Temp->newdir;
my @private = ('nginx', 'write', "$private", @templates, qw(--private --log-directory /logs));
ends_with $roster->ctl(@private), 2, qr/private\.conf needs --listen/, 'an nginx of the caller needs an address';
ends_with $roster->ctl(@private, qw(--listen 127.0.0.1:80 --listen-tls 127.0.0.1:443)), 2,
    qr/private-tls\.conf needs --tls-certificate/, '... and a certificate for TLS';
is_deeply [glob "$private/*"], [], '... else nothing is written';
is $roster->ctl(@private, qw(--listen 127.0.0.1:80))->{status}, 0, 'it is written';
is_deeply [sort map { s{^\Q$private\E/}{}r } grep { -f } glob "$private/* $private/*/*"],
    [sort @protect, 'nginx.conf', map { "roster-$_.conf" } qw(fastcgi headers locations pages upstream)],
    '... without a site';
ends_with $roster->ctl('nginx', 'snippet', '--templates', "$private"), 0, qr/roster_api/,
    '... and nothing is left to fill in';
Roster::Database::write_file("$private/roster-headers.conf", '@LISTEN@');
ends_with $roster->ctl('nginx', 'headers', '--templates', "$private"), 1, qr/unknown word \@LISTEN\@/,
    'the other files know nothing of it';

# ---- The end of people and services ----

ends_with $roster->ctl('user', 'delete', 'dora@example.org'), 2, qr/add --yes/, 'nobody is deleted without --yes';
ends_with $roster->ctl('user', 'delete', 'dora@example.org', '--yes'), 0, qr/Deleted Dora/, 'with it they are';
ends_with $roster->ctl('user', 'show', 'dora@example.org'), 3, qr/no such user/, '... and gone';
ends_with $roster->ctl('user', 'delete', 'ada@example.org', '--yes'), 6, qr/./, 'the oldest account stays';

chmod 0644, $roster->directory . '/secret.key';
ends_with $roster->ctl('user', 'list'), 4, qr/secret\.key/, 'a key that others may read is refused';
chmod 0600, $roster->directory . '/secret.key';
$roster->stop('redis');
is $roster->ctl('user', 'logout', 'robert@example.org')->{status}, 0, 'sessions end without Redis';
$roster->stop('roster');
ends_with $roster->ctl('status'), 5, qr/does not answer/, 'a service that does not run';
is $roster->ctl('doctor')->{status}, 1, 'doctor finds it';
$roster->stop('mariadb');
ends_with $roster->ctl('user', 'list'), 5, qr/MariaDB can't be used/, 'MariaDB that does not run';

done_testing;
