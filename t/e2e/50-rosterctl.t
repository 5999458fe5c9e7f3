# rosterctl: every command on a real stack: what it prints, what it changes, how it ends.
use v5.36;
use utf8;

use File::Temp ();
use Test::More;
use Roster;

my $roster = Roster->new;
my $json = JSON::PP->new->utf8->allow_nonref;

# rosterctl with separate channels: {status, out, err}. A hash at the end may hold `input`.
sub ctl (@arguments) {
    my %options = ref $arguments[-1] ? %{pop @arguments} : ();
    my ($in, $out, $err) = map { File::Temp->new } 1 .. 3;
    print {$in} $options{input} // '';
    $in->flush;
    my $pid = fork // die "fork: $!\n";
    if (!$pid) {
        open STDIN, '<', $in->filename;
        open STDOUT, '>', $out->filename;
        open STDERR, '>', $err->filename;
        exec "$Roster::build/rosterctl", '-c', $roster->config_file, @arguments or POSIX::_exit(127);
    }
    waitpid $pid, 0;
    my $status = $? & 127 ? "signal $?" : $? >> 8;
    return {status => $status, map { ($_->[0] => Roster::Database::slurp($_->[1]->filename)) } ['out', $out], ['err', $err]};
}

# The same with --json, decoded.
sub ctl_json (@arguments) {
    my $result = ctl('--json', @arguments);
    is $result->{status}, 0, "--json @{[grep { !ref } @arguments]} succeeds" or diag $result->{err};
    my $decoded = eval { $json->decode($result->{out}) };
    ok defined $decoded, "... and prints JSON" or diag $result->{out};
    return $decoded;
}

sub ends_with ($result, $status, $pattern, $name) {
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    my $good = $result->{status} eq $status && ($status ? $result->{err} : $result->{out} . $result->{err}) =~ $pattern;
    return ok($good, $name) || diag "status $result->{status}\nout: $result->{out}\nerr: $result->{err}";
}

# ---- The command line ----

ends_with ctl(), 2, qr/usage:/, 'no command is a wrong call';
ends_with ctl('--help'), 0, qr/^  user list /m, '--help lists the commands';
ends_with ctl('--version'), 0, qr/^rosterctl \d/, '--version';
ends_with ctl('usr', 'list'), 2, qr/did you mean `user list'/, 'a mistyped command gets a hint';
ends_with ctl('user'), 2, qr/user passwd/, 'half a command lists what may follow';
ends_with ctl('user', 'add', '--nmae', 'x'), 2, qr/did you mean --name/, 'a mistyped option gets a hint';
ends_with ctl('user', 'add', '--help'), 0, qr/--random-password/, 'a command shows its options';
ends_with ctl('help', 'user', 'add'), 0, qr/--random-password/, 'help does, too';
ends_with ctl('help', 'group'), 0, qr/group add-member/, 'help shows all commands of a group';
ends_with ctl('help', 'nothing'), 2, qr/no command `nothing'/, 'help for what there is not';
ends_with ctl('user', 'show'), 2, qr/usage: rosterctl user show USER/, 'an argument that is missing';
ends_with ctl('user', 'add', '--email', 'a@example.org'), 2, qr/needs --name/, 'an option that is missing';
ends_with ctl('user', 'add', '--email'), 2, qr/--email needs a value/, 'a value that is missing';
ends_with ctl('user', 'role', 'x', 'root'), 2, qr/is no ROLE: it is one of: pending user admin/, 'a word that is none of those that may stand there';
ends_with ctl('completion', 'csh'), 2, qr/one of: bash zsh/, 'a shell without completion';
ends_with ctl('openapi', '--quiet=yes'), 2, qr/takes no value/, 'a switch takes no value';
ends_with ctl('-qj', 'status'), 2, qr/one by one/, 'letters are given one by one';
ends_with ctl('user', 'list', '--', '--json'), 0, qr/^ID /, 'behind -- everything is an argument';
is ctl('-c', '/nonexistent', 'config', 'check')->{status}, 4, 'a configuration that is not there';

# ---- The first account ----

ends_with ctl('user', 'add', '--email', 'x', '--name', 'X', '--random-password'), 6, qr/not an email address/, 'what is no email address is refused';
ends_with ctl('user', 'add', '--email', 'ada@example.org', '--name', 'Ada', '--role', 'user', '--random-password'), 6,
    qr/administrator's/, 'the first account can only be an administrator\'s';
ends_with ctl('user', 'add', '--email', 'ada@example.org', '--name', 'Ada'), 2, qr/--password-stdin or --random-password/,
    'without a terminal there must be a way to the password';
ends_with ctl('user', 'add', '--email', 'ada@example.org', '--name', 'Ada', '--password-stdin', {input => "short\n"}), 6, qr/password/,
    'a password that breaks the rules is refused';
ends_with ctl('user', 'add', '--email', 'ada@example.org', '--name', 'Ada', '--password-stdin', {input => ''}), 2, qr/no line/, 'no password at all';
is $roster->sql('SELECT COUNT(*) FROM user'), 0, 'nobody was made by all this';

my $made = ctl('user', 'add', '--email', ' Ada@Example.org', '--name', 'Ada Lovelace', '--random-password');
is $made->{status}, 0, 'the first account is made' or diag $made->{err};
like $made->{out}, qr/\A[A-Za-z0-9]{20}\n\z/, 'standard output holds the password alone';
like $made->{err}, qr/first account.*ada\@example\.org.*Sign-up is closed/, 'standard error says what was done';
chomp(my $password = $made->{out});
$roster->secret($password);
my $ada = ($roster->rows('SELECT * FROM user'))[0];
is $ada->{role}, 'admin', 'it is an administrator\'s';
is $ada->{email}, 'ada@example.org', 'its email address is in lower case';
my $session = $roster->request(POST => '/auths/signin', json => {email => 'ada@example.org', password => $password});
is $session->{status}, 200, 'one can sign in with the password' or diag $session->{body};
is_problem $roster->request(POST => '/auths/signup', json => {email => 'eve@example.org', password => 'a long password', name => 'Eve'}), 403,
    'ACCESS_PROHIBITED', 'sign-up is closed';

# ---- More accounts ----

ends_with ctl('user', 'add', '--email', 'bob@example.org', '--name', 'Bob', '--random-password'), 2, qr/--role/, 'a later account needs a role';
ends_with ctl('user', 'add', '--email', 'ADA@example.org', '--name', 'A', '--role', 'user', '--random-password'), 6, qr/Another account/, 'a taken address is refused';
ends_with ctl('user', 'add', '--email', 'bob@example.org', '--name', 'Bob', '--role', 'user', '--random-password', '--password-stdin'), 2,
    qr/can't go together/, 'two ways to a password are one too many';
$roster->secret('correct horse battery');
my $bob = ctl_json('user', 'add', '--email', 'bob@example.org', '--name', 'Bob', '--role', 'user', '--password-stdin', {input => "correct horse battery\nrest"});
is_deeply [sort keys %$bob], [qw(email id role)], 'JSON of a new account does not repeat a password that was given';
is $roster->request(POST => '/auths/signin', json => {email => 'bob@example.org', password => 'correct horse battery'})->{status}, 200, 'the first line is the password';
my $random = ctl_json('user', 'add', '--email', 'carol@example.org', '--name', "Carol \e[31m\xc3\xa4", '--role', 'pending', '--random-password');
$roster->secret($random->{password});
is length $random->{password}, 20, 'JSON holds a password that was made';
my $dora = ctl('--quiet', 'user', 'add', '--email', 'dora@example.org', '--name', 'Dora', '--role', 'user', '--no-password');
like $dora->{out}, qr/\A[0-9a-f-]{36}\n\z/, '--quiet prints the id';
is $dora->{err}, '', 'and no remark';

# ---- Lists ----

# As if they had not all been made within one second.
$roster->sql('UPDATE user SET created_at = created_at - ? WHERE email = ?', $_->[1], "$_->[0]\@example.org") for ['ada', 40], ['bob', 30], ['carol', 20], ['dora', 10];

my $list = ctl_json('user', 'list');
is_deeply [map { $_->{email} } @$list], [map {"$_\@example.org"} qw(ada bob carol dora)], 'the list is in the order of making';
ok exists $list->[0]{settings}, 'its rows are whole users';
ends_with ctl('user', 'list', 'BOB'), 0, qr/\AID +NAME .*\n\S+ +Bob +bob\@example\.org +user .*\n\z/, 'a part of the name selects';
is_deeply [split /\n/, ctl('--quiet', 'user', 'list', '--order', 'name', '--descending')->{out}], [map { $_->{id} } reverse @$list], '--quiet lists ids, in any order';
unlike ctl('user', 'list')->{out}, qr/\e/, 'control characters of names do not get to the terminal';
is ctl('user', 'list', 'nobody')->{status}, 0, 'an empty list is no failure';
is_deeply ctl_json('user', 'list', 'nobody'), [], 'and is an empty list in JSON';

ends_with ctl('user', 'show', 'bob@example.org'), 0, qr/^email +bob\@example\.org\n.*^groups +-\n^sessions +1$/ms, 'a user by email address';
is ctl_json('user', 'show', $bob->{id})->{session_count}, 1, 'a user by id, in JSON';
ends_with ctl('user', 'show', 'nobody@example.org'), 3, qr/no such user/, 'somebody whom there is not';
is ctl_json('user', 'show', 'Dora@example.org')->{name}, 'Dora', 'an account without a password is found by its address';

# ---- Changes ----

ends_with ctl('user', 'set', 'bob@example.org'), 2, qr/say what to change/, 'a change needs to be one';
is ctl('user', 'set', 'bob@example.org', '--name', 'Robert', '--email', 'Robert@example.org', '--timezone', 'Europe/Vienna')->{status}, 0, 'name, address and zone change';
is_deeply [@{ctl_json('user', 'show', $bob->{id})}{qw(name email timezone role)}], ['Robert', 'robert@example.org', 'Europe/Vienna', 'user'], 'they have changed, the role has not';
ends_with ctl('user', 'set', $bob->{id}, '--email', 'ada@example.org'), 6, qr/Another account/, 'to a taken address nobody changes';
is $roster->request(GET => '/auths/', token => $session->{json}{token})->{status}, 200, 'Ada is signed in';
ends_with ctl('user', 'role', 'ada@example.org', 'user'), 6, qr/oldest account/, 'the oldest account stays an administrator\'s';
my $robert = $roster->request(POST => '/auths/signin', json => {email => 'robert@example.org', password => 'correct horse battery'})->{json};
ends_with ctl('user', 'role', $bob->{id}, 'admin'), 0, qr/is admin now/, 'a role changes';
is_problem $roster->request(GET => '/auths/', token => $robert->{token}), 401, 'INVALID_TOKEN', 'which ends the sessions';
ends_with ctl('user', 'role', $bob->{id}, 'admin'), 0, qr/already/, 'twice is no failure';

$robert = $roster->request(POST => '/auths/signin', json => {email => 'robert@example.org', password => 'correct horse battery'})->{json};
my $sessions = ctl_json('user', 'sessions', $bob->{id});
is @$sessions, 1, 'one session lives';
ends_with ctl('user', 'logout', $bob->{id}, '--session', 'nothing'), 3, qr/no such session/, 'a session that there is not';
is ctl('user', 'logout', $bob->{id}, '--session', $sessions->[0]{jti})->{status}, 0, 'one session is ended';
is_problem $roster->request(GET => '/auths/', token => $robert->{token}), 401, 'INVALID_TOKEN', 'its token is refused';
sleep 1; # a token must be younger than the end of all sessions
my $foreign = $roster->token_for($bob->{id});
is $roster->request(GET => '/auths/', token => $foreign)->{status}, 200, 'a token of another program works';
ends_with ctl('user', 'logout', $bob->{id}), 0, qr/Ended all sessions/, 'everything is ended';
is_problem $roster->request(GET => '/auths/', token => $foreign), 401, 'INVALID_TOKEN', 'that token, too';

my $changed = ctl('user', 'passwd', 'ada@example.org', '--random-password');
chomp(my $other = $changed->{out});
$roster->secret($other);
is $changed->{status}, 0, 'a password changes' or diag $changed->{err};
is_problem $roster->request(POST => '/auths/signin', json => {email => 'ada@example.org', password => $password}), 400, 'INVALID_CRED', 'the old one is refused';
is $roster->request(POST => '/auths/signin', json => {email => 'ada@example.org', password => $other})->{status}, 200, 'the new one is good';
is_problem $roster->request(GET => '/auths/', token => $session->{json}{token}), 401, 'INVALID_TOKEN', 'the sessions are over';
is ctl('user', 'passwd', 'dora@example.org', '--password-stdin', {input => 'correct horse battery'})->{status}, 0, 'who had no password gets one';
is $roster->request(POST => '/auths/signin', json => {email => 'dora@example.org', password => 'correct horse battery'})->{status}, 200, 'and can sign in';

# ---- On a terminal ----

# With a terminal on all channels, by util-linux' script; gives the exit status and everything that was to be seen. Each line of the input is typed
# when something more has been asked.
sub on_terminal ($input, @arguments) {
    my $command = join ' ', map { "'" . s/'/'\\''/gr . "'" } "$Roster::build/rosterctl", '-c', $roster->config_file, @arguments;
    my $out = File::Temp->new;
    open my $typist, '|-', 'script', '-qefc', $command, $out->filename or die "script: $!\n";
    open my $null, '>', '/dev/null';
    $typist->autoflush;
    my $seen = 0;
    for my $line (split /^/, $input) {
        wait_until(10, sub { (() = Roster::Database::slurp($out->filename) =~ /(?:password|again): |\[y\/N\] /g) > $seen });
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
    is $roster->request(POST => '/auths/signin', json => {email => 'dora@example.org', password => 'typed by hand'})->{status}, 200, '... and is good';
    is $different->{status}, 2, 'two different passwords are refused' or diag $different->{out};
    is $no->{status}, 6, 'who says no' or diag $no->{out};
    like $no->{out}, qr/Delete Carol .*with everything of theirs\? \[y\/N\]/, '... was asked';
    like $no->{out}, qr/nothing was done/, '... and nothing is done';
    is $yes->{status}, 0, 'who says yes' or diag $yes->{out};
    is $roster->sql('SELECT COUNT(*) FROM user WHERE email = ?', 'carol@example.org'), 0, '... has it done';
    ctl('user', 'passwd', 'dora@example.org', '--password-stdin', {input => 'correct horse battery'});
}

# ---- Groups ----

ends_with ctl('group', 'add', 'Team', '--description', 'Those who work'), 0, qr/Made the group Team/, 'a group is made';
my $group = ctl_json('group', 'list')->[0];
is_deeply [@$group{qw(name description member_count user_id)}], ['Team', 'Those who work', 0, $ada->{id}], 'it is listed, and belongs to the oldest account';
ends_with ctl('group', 'add-member', 'Team', 'robert@example.org', 'nobody@example.org'), 3, qr/no such user/, 'somebody unknown stops it';
is ctl_json('group', 'list')->[0]{member_count}, 0, 'before anything is done';
ends_with ctl('group', 'add-member', 'Team', 'robert@example.org', 'dora@example.org'), 0, qr/2 users/, 'two members';
is_deeply [sort map { $_->{name} } @{ctl_json('group', 'show', $group->{id})->{members}}], [qw(Dora Robert)], 'both are shown';
is ctl('--quiet', 'group', 'list', 'dora@example.org')->{out}, "$group->{id}\n", 'groups of a user';
ends_with ctl('group', 'remove-member', $group->{id}, 'dora@example.org'), 0, qr/no more: Dora/, 'one leaves';
ctl('group', 'add', 'Team');
ends_with ctl('group', 'show', 'Team'), 2, qr/2 groups are called/, 'a name that two groups have is refused';
ends_with ctl('group', 'show', 'Nothing'), 3, qr/no such group/, 'a group that there is not';
my ($second) = grep { $_ ne $group->{id} } split /\n/, ctl('-q', 'group', 'list')->{out};
ends_with ctl('group', 'delete', $second), 2, qr/add --yes/, 'nothing is destroyed without a terminal or --yes';
is ctl('group', 'delete', $second, '--yes')->{status}, 0, 'with --yes it is';
is @{ctl_json('group', 'list')}, 1, 'one group is left';

# ---- Permissions ----

ends_with ctl('permissions', 'show'), 0, qr/^chat\.delete +yes$/m, 'what everybody may do';
is ctl_json('permissions', 'show', 'dora@example.org')->{features}{api_keys}, JSON::PP::false, 'what one user may do';
ends_with ctl('permissions', 'default', 'chat.dleete=no'), 3, qr/did you mean `chat\.delete'/, 'a mistyped permission gets a hint';
ends_with ctl('permissions', 'default', 'chat.delete=perhaps'), 2, qr/chat\.delete=yes/, 'an answer is yes or no';
is ctl('permissions', 'default', 'chat.delete=no', 'workspace.tools=yes')->{status}, 0, 'what everybody may do changes';
my $token = $roster->request(POST => '/auths/signin', json => {email => 'dora@example.org', password => 'correct horse battery'})->{json}{token};
my $own = $roster->request(GET => '/users/permissions', token => $token)->{json};
is_deeply [$own->{chat}{delete}, $own->{workspace}{tools}, $own->{chat}{edit}], [JSON::PP::false, JSON::PP::true, JSON::PP::true], 'the service says the same at once';
is ctl('permissions', 'group', 'Team', 'features.api_keys=yes')->{status}, 0, 'a group gives a permission';
is_deeply ctl_json('permissions', 'group', 'Team'), {features => {api_keys => JSON::PP::true}}, 'that is all that it gives';
like ctl('-q', 'permissions', 'show', 'robert@example.org')->{out}, qr/^features\.api_keys$/m, 'its member has it; --quiet lists what is granted';
unlike ctl('-q', 'permissions', 'show', 'dora@example.org')->{out}, qr/^features\.api_keys$/m, 'who left has it not';

# ---- API keys ----

my $key = ctl('key', 'add', 'robert@example.org');
like $key->{out}, qr/\Ask-[0-9a-f]{32}\n\z/, 'a key is made, and is alone on standard output';
like $key->{err}, qr/switched off/, 'a remark says that keys are switched off';
chomp(my $primary = $key->{out});
$roster->secret($primary);
$roster->sql(q(UPDATE config SET data = JSON_SET(JSON_MERGE_PATCH('{"auth":{}}', data), '$.auth.enable_api_keys', TRUE)));
is $roster->request(GET => '/users/user/info', headers => ['x-api-key', $primary])->{status}, 200, 'the key works once they are on';
ends_with ctl('key', 'add', 'robert@example.org', '--expires', '1d'), 2, qr/need --name/, 'only named keys expire';
ends_with ctl('key', 'add', 'robert@example.org', '--name', 'x', '--expires', 'soon'), 2, qr/is no time/, 'a time that is none';
ends_with ctl('key', 'add', 'robert@example.org', '--name', 'x', '--routes', 'users'), 2, qr/slash/, 'a path that is none';
my $named = ctl_json('key', 'add', 'robert@example.org', '--name', 'Backup', '--expires', '2d', '--routes', '/api/v1/users/all/, /groups');
$roster->secret($named->{api_key});
is $roster->request(GET => '/users/all', headers => ['x-api-key', $named->{api_key}])->{status}, 200, 'a named key works on its paths';
is_problem $roster->request(GET => '/users/', headers => ['x-api-key', $named->{api_key}]), 403, 'API_KEY_ENDPOINT_NOT_ALLOWED', 'and on no others';
my $keys = ctl_json('key', 'list', 'robert@example.org');
is_deeply [map { $_->{id} } @$keys], ['primary', $named->{id}], 'both are listed';
is_deeply $keys->[1]{routes}, ['/users/all', '/groups'], 'with the paths';
cmp_ok abs($keys->[1]{expires_at} - time - 2 * 86400), '<', 60, 'and the end';
like $keys->[0]{api_key}, qr/\Ask-…[0-9a-f]{4}\z/, 'masked';
ends_with ctl('key', 'delete', 'robert@example.org', 'nothing', '-y'), 3, qr/no such/i, 'a key that there is not';
is ctl('key', 'delete', 'robert@example.org', $_, '--yes')->{status}, 0, "the key $_ is removed" for 'primary', $named->{id};
is_deeply ctl_json('key', 'list', 'robert@example.org'), [], 'none is left';
is_problem $roster->request(GET => '/users/all', headers => ['x-api-key', $primary]), 401, 'INVALID_TOKEN', 'the key works no more';

# ---- Tokens ----

ends_with ctl('token', {input => "Bearer $token\n"}), 0, qr/^payload .*"jti".*^ACCEPTED/ms, 'a good token';
ends_with ctl('token', {input => $roster->token_for($bob->{id}, exp => time - 10)}), 6, qr//, 'an old one is refused';
my %reasons = (
    'is over' => [$roster->token_for($bob->{id}, exp => time - 10), 'UNAUTHORIZED', qr/expired/],
    'has a wrong signature' => [$roster->jwt({id => $bob->{id}}, signature => 'x' x 43), 'UNAUTHORIZED', qr/sign/],
    'is no token' => ['nonsense', 'UNAUTHORIZED', qr/./],
    'is of somebody who is gone' => [$roster->token_for('nobody'), 'INVALID_TOKEN', qr/gone/],
    'was issued before all sessions were ended' => [$foreign, 'INVALID_TOKEN', qr/ended/],
    'has no end' => [$roster->token_for($bob->{id}, exp => undef, iat => time), 'UNAUTHORIZED', qr/end/],
    'is an unknown key' => ['sk-' . '0' x 32, 'INVALID_TOKEN', qr/no such API key/],
);
for my $case (sort keys %reasons) {
    my ($text, $code, $pattern) = @{$reasons{$case}};
    my $result = ctl('--json', 'token', {input => $text});
    my $said = eval { $json->decode($result->{out}) } // {};
    is $result->{status}, 6, "refused: what $case" or diag $result->{out} . $result->{err};
    is $said->{code}, $code, "... with $code";
    like $said->{reason}, $pattern, '... for the right reason';
    is_problem $roster->request(GET => '/auths/', token => $text), 401, $code, '... and the service says the same';
}
sleep 1;
my $revoked = $roster->token_for($bob->{id}, jti => 'away');
$roster->redis('SET', 'open-webui:auth:token:away:revoked', 1);
ends_with ctl('token', {input => $revoked}), 6, qr//, 'a token that Redis knows to be revoked';
like ctl('token', {input => $revoked})->{out}, qr/^REFUSED with INVALID_TOKEN: Redis/m, '... and it says so';

# ---- The service ----

ends_with ctl('status'), 0, qr/^Up .*^POOL .*^api .*^password .*^ROUTE .*^sign_in /ms, 'the status';
cmp_ok ctl_json('status')->{requests}, '>', 10, 'the same in JSON';
is ctl('-q', 'status')->{out}, '', '--quiet only asks';
my $top = ctl('top', '--interval', '0.2', '--count', '2');
is $top->{status}, 0, 'top ends after its count' or diag $top->{err};
is scalar(() = $top->{out} =~ /^POOL/mg), 2, 'and shows the pools each time';
ends_with ctl('top', '--count', 'x'), 2, qr/is no number/, 'a count that is none';

my $doctor = ctl('doctor', '--nginx-directory', $roster->directory . '/nginx');
like $doctor->{out}, qr/^ok +service +pool $_ answers/m, "doctor: pool $_ answers" for qw(api password);
like $doctor->{out}, qr/^ok +dependencies +MariaDB .* answers/m, 'doctor: MariaDB answers';
like $doctor->{out}, qr/^ok +accounts/m, 'doctor: there are accounts';
is $doctor->{status}, 0, 'doctor: nothing to mend' or diag $doctor->{out};
is_deeply [grep { $_->{state} !~ /^(?:ok|warning|error)$/ } @{$json->decode(ctl('-j', 'doctor')->{out})}], [], 'doctor in JSON';

# ---- Set-up ----

ends_with ctl('migrate', '--directory', "$roster->{source}/sql"), 0, qr/./, 'migrating again changes nothing';
ends_with ctl('migrate', '--check', '--directory', "$roster->{source}/sql"), 0, qr/up to date/, 'and there is nothing to do';
ends_with ctl('config', 'check'), 0, qr/is good/, 'the configuration is good';
like ctl('config', 'dump')->{out}, qr/^database_name = roster$/m, 'the configuration in effect';
unlike ctl('config', 'dump')->{out}, qr/\Q$roster->{key}\E/, '... without the key';
like ctl('config', 'sample')->{out}, qr/^# *secret_key_file = /m, 'the sample';
ends_with ctl('directive', 'workers'), 0, qr/in \[api\]/, 'a directive';
ends_with ctl('directive', 'wrokers'), 3, qr/did you mean `workers'/, 'a mistyped directive gets a hint';
is ctl_json('directive', 'redis_timeout')->{default}, '500ms', 'a directive in JSON';

my @templates = ('--templates', "$roster->{source}/nginx");
like ctl('nginx', 'upstream', @templates)->{out}, qr/server unix:\Q@{[$roster->socket_path('api')]}\E /, 'the upstream names the socket';
like ctl('nginx', $_, @templates)->{out}, qr/^[a-z].*;$/m, "nginx $_" for qw(snippet fastcgi headers);
ends_with ctl('nginx', 'site', @templates), 2, qr/--server-name/, 'a site needs a name';
my $directory = File::Temp->newdir;
is ctl('nginx', 'write', "$directory", @templates, qw(--server-name users.example.org --tls-certificate /c --tls-key /k))->{status}, 0, 'all files are written';
is_deeply [sort map { s{.*/}{}r } glob "$directory/*"], [map {"roster$_.conf"} '-fastcgi', '-headers', '-locations', '-upstream', ''], '... and no others';
unlike join('', map { Roster::Database::slurp($_) } glob "$directory/*"), qr/^[^#]*\@[A-Z_]+\@/m, '... with nothing left to fill in';
like Roster::Database::slurp("$directory/roster.conf"), qr{include \Q$directory\E/roster-}, '... and refer to each other there';
ends_with ctl('nginx', 'check', '--directory', "$directory"), 0, qr/goes with roster\.conf/, 'they go with the configuration';
Roster::Database::write_file("$directory/roster-upstream.conf", "upstream roster_api { server unix:/elsewhere; }\nserver_name \@SERVER_NAME\@;\n");
my $check = ctl('nginx', 'check', '--directory', "$directory");
is $check->{status}, 1, 'files that do not go with it are found';
like $check->{out}, $_, "... $_" for qr/^error .*nothing in .* passes requests to .*api\.sock/m, qr/^error .*still holds \@SERVER_NAME\@/m;

# ---- The end of people and services ----

ends_with ctl('user', 'delete', 'dora@example.org'), 2, qr/add --yes/, 'nobody is deleted without --yes';
ends_with ctl('user', 'delete', 'dora@example.org', '--yes'), 0, qr/Deleted Dora/, 'with it they are';
ends_with ctl('user', 'show', 'dora@example.org'), 3, qr/no such user/, '... and gone';
ends_with ctl('user', 'delete', 'ada@example.org', '--yes'), 6, qr/./, 'the oldest account stays';

chmod 0644, $roster->directory . '/secret.key';
ends_with ctl('user', 'list'), 4, qr/secret\.key/, 'a key that others may read is refused';
chmod 0600, $roster->directory . '/secret.key';
$roster->stop('redis');
is ctl('user', 'logout', 'robert@example.org')->{status}, 0, 'sessions end without Redis';
$roster->stop('roster');
ends_with ctl('status'), 5, qr/does not answer/, 'a service that does not run';
is ctl('doctor')->{status}, 1, 'doctor finds it';
$roster->stop('mariadb');
ends_with ctl('user', 'list'), 5, qr/MariaDB does not answer/, 'MariaDB that does not run';

done_testing;
