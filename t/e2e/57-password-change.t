# Passwords that must be changed: rosterctl makes them, sign-in takes a new one, and all else is refused until then. And
# the time and the address of the last sign-in.
use v5.36;
use utf8;

use Test::More;
use Roster;

my $roster = Roster->new(config => {rate_limit_sign_in_email => 3, rate_limit_sign_in => 1000});
my $admin = $roster->add_user(role => 'admin', created_at => time - 200_000);
my $CODE = 'PASSWORD_CHANGE_REQUIRED';
my $NEW = 'a password of one\'s own';
$roster->secret($_) for $NEW, 'another password', 'typed by an administrator';

sub ends_with ($result, $status, $pattern, $name) {
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    my $good = $result->{status} eq $status && ($status ? $result->{err} : $result->{out} . $result->{err}) =~ $pattern;
    return ok($good, $name) || diag "status $result->{status}\nout: $result->{out}\nerr: $result->{err}";
}

# Signs in with a new password.
sub change ($email, $password, $new) {
    return $roster->request(
        POST => '/auths/signin',
        json => {email => $email, password => $password, new_password => $new});
}

sub must_change ($email) { return $roster->sql('SELECT must_change FROM auth WHERE email = ?', $email) }

sub one_time (@command) {
    my $made = $roster->ctl(@command);
    is $made->{status}, 0, "@command" or diag $made->{err};
    chomp(my $password = $made->{out});
    like $password, qr/\A[A-Za-z0-9]{20}\z/, '... prints a password alone';
    like $made->{err}, qr/^It must be changed at the first sign-in; until then everything else is refused\.$/m,
        '... and says what it is for';
    $roster->secret($password);
    return $password;
}

# ---- At the first sign-in ----

my $first = one_time('user', 'add', '--email', 'bob@example.org', '--name', 'Bob Miller', '--role', 'user',
    '--one-time-password');
my $refused = $roster->call(
    sign_in => 'PASSWORD_CHANGE_REQUIRED',
    json => {email => 'bob@example.org', password => $first});
is_deeply [$refused->{status}, [sort keys %{$refused->{json}}], $refused->{headers}{'set-cookie'}],
    [403, [qw(code detail)], undef], 'the right password gives neither token nor cookie';
is_problem $roster->sign_in('bob@example.org', password => 'wrong password'), 400, 'INVALID_CRED',
    'a wrong one is wrong';
is_problem change('bob@example.org', 'wrong password', $NEW), 400, 'INVALID_CRED', '... with a new one, too';
my %right = (email => 'bob@example.org', password => $first);
$roster->call(sign_in => 'INVALID_PASSWORD', json => {%right, new_password => $first});
$roster->call(sign_in => 'PASSWORD_TOO_LONG', json => {%right, new_password => 'x' x 257});
for my $case (
    # [new password, code]
    [$first, 'INVALID_PASSWORD'],
    ['short', 'INVALID_PASSWORD'],
    ['Bob Miller', 'INVALID_PASSWORD'],
    ['bob@example.org', 'INVALID_PASSWORD'],
    ['x' x 257, 'PASSWORD_TOO_LONG'])
{
    my ($new, $code) = @$case;
    is_problem change('bob@example.org', $first, $new), 400, $code,
        'a new password that breaks the rules: ' . substr $new, 0, 20;
}
is_problem change('bob@example.org', $first, 5), 422, 'VALIDATION_ERROR', 'a new password that is no text';
is_problem change('bob@example.org', $first, undef), 403, $CODE, 'null is none';
is_problem $roster->sign_in('bob@example.org', password => $first), 403, $CODE,
    'all this counts as no failed sign-in, and changes nothing';
is must_change('bob@example.org'), 1, '... the password is still to be changed';
is_deeply $roster->ctl_json('user', 'sessions', 'bob@example.org'), [], '... and there is no session';

my $session = $roster->call(
    sign_in => 200,
    json => {email => 'bob@example.org', password => $first, new_password => $NEW});
is $roster->get('/auths/', $session->{json}{token})->{status}, 200, 'a good one signs in';
is must_change('bob@example.org'), 0, '... and nothing is to be changed any more';
is_problem $roster->sign_in('bob@example.org', password => $first), 400, 'INVALID_CRED', 'the old one is over';
is $roster->sign_in('bob@example.org', password => $NEW)->{status}, 200, 'the new one is good';
is_problem change('bob@example.org', $NEW, 'another password'), 403, 'ACTION_PROHIBITED',
    'who need not change it does not do so at sign-in';
is $roster->sign_in('bob@example.org', password => $NEW)->{status}, 200, '... and nothing is changed';
is_problem change('bob@example.org', 'wrong password', 'another password'), 400, 'INVALID_CRED',
    '... nor told to who does not know it';

# ---- Later ----

is $roster->ctl('settings', 'set', 'ENABLE_API_KEYS=yes')->{status}, 0, 'keys are on';
is $roster->ctl('permissions', 'default', 'features.api_keys=yes')->{status}, 0, '... for everybody';
chomp(my $key = $roster->ctl('key', 'add', 'bob@example.org')->{out});
$roster->secret($key);
my $bob = {token => $roster->new_session('bob@example.org', password => $NEW)};
my $foreign = $roster->token_for($session->{json}{id}, iat => time + 0);
sleep 1;
ends_with $roster->ctl('user', 'passwd', 'bob@example.org', '--must-change', '--password-stdin',
    {input => "typed by an administrator\n"}),
    0, qr/all sessions were ended\.\nIt must be changed/,
    'an administrator sets one that must be changed';
is_problem $roster->get('/auths/', $bob), 401, 'INVALID_TOKEN', 'sessions are over';
is_problem $roster->get('/auths/', $foreign), 401, 'INVALID_TOKEN', '... and tokens of other programs';
sleep 1;
my $later = $roster->token_for($session->{json}{id});
for my $request (
    [GET => '/auths/'],
    [GET => '/users/user/settings'],
    [POST => '/auths/update/password', {password => 'typed by an administrator', new_password => $NEW}],
    [GET => '/users/all'])
{
    my ($method, $path, $body) = @$request;
    is_problem $roster->ask($method => $path, $later, defined $body ? (json => $body) : ()), 403, $CODE,
        "$method $path: a later token is refused";
    is_problem $roster->request($method => $path, headers => ['x-api-key', $key], defined $body ? (json => $body) : ()),
        403, $CODE, '... and a key';
}
is $roster->get('/auths/signout', $later)->{status}, 200, 'one can sign out';
for my $token ($roster->token_for($session->{json}{id}), $key) {
    my $said = $roster->ctl('--json', 'token', {input => $token});
    is_deeply [$said->{status}, @{$said->{json}}{qw(accepted code)}], [6, JSON::PP::false, $CODE],
        'rosterctl judges as the service does';
    like $said->{json}{reason}, qr/password must be changed/, '... and says why';
}
is change('bob@example.org', 'typed by an administrator', $NEW)->{status}, 200, 'changed again';
is $roster->get('/auths/', $later)->{status}, 401, 'a token that was signed out stays so';
is $roster->request(GET => '/auths/', headers => ['x-api-key', $key])->{status}, 200, 'the key works again';

# Whoever sets another password lifts it.
my %lift = (
    'rosterctl' => sub {
        $roster->ctl('user', 'passwd', 'bob@example.org', '--password-stdin', {input => $NEW})->{status};
    },
    'an administrator' => sub {
        my $user = $roster->ctl_json('user', 'show', 'bob@example.org');
        $roster->post("/users/$user->{id}/update", $admin,
            {%$user{qw(role name email profile_image_url)}, password => $NEW})->{status} - 200;
    });
for my $who (sort keys %lift) {
    one_time('user', 'passwd', 'bob@example.org', '--one-time-password');
    is $lift{$who}->(), 0, "$who sets a password";
    is $roster->sign_in('bob@example.org', password => $NEW)->{status}, 200, '... and it need not be changed';
}

# A hash that was moved over, and two at once.
my $old = $roster->add_user(email => 'old@example.org');
$roster->sql('UPDATE auth SET must_change = 1 WHERE email = ?', 'old@example.org');
is_problem $roster->sign_in($old), 403, $CODE, 'an imported password';
like $roster->sql('SELECT password FROM auth WHERE email = ?', 'old@example.org'), qr/^\$2b\$/,
    '... is not hashed anew';
my @both = at_once(
    map {
        my $new = $_;
        sub { change('old@example.org', $old->{password}, $new)->{status} }
    } $NEW,
    'another password');
is_deeply [sort map { @$_ } @both], [200, 400], 'of two at once one is taken';

ends_with $roster->ctl(
    'user', 'add', '--email', 'x@example.org', '--name', 'X', '--role', 'user', '--no-password', '--must-change'
    ),
    2, qr/--no-password can't be used together/, 'no password can\'t be changed';
ends_with $roster->ctl('user', 'passwd', 'bob@example.org', '--one-time-password', '--random-password'), 2,
    qr/can't be used together/, 'two ways to a password';
ends_with $roster->ctl('user', 'passwd', 'bob@example.org', '--must-change'), 2, qr/--one-time-password/,
    'without a terminal there must be a way to the password';

# ---- Many ----

my $import = $roster->ctl_json('user', 'import', '-', '--role', 'user', '--one-time-password',
    {input => "email,name,password\nm1\@example.org,M,\nm2\@example.org,M,another password\nbob\@example.org,B,\n"});
$roster->secret($import->[0]{password});
is_deeply [map { [$_->{result}, defined $_->{password} ? 'printed' : 'not'] } @$import],
    [['created', 'printed'], ['created', 'not'], ['exists', 'not']], 'an import makes passwords for who has none';
is_problem $roster->sign_in('m1@example.org', password => $import->[0]{password}), 403, $CODE,
    '... which must be changed';
is $roster->sign_in('m2@example.org', password => 'another password')->{status}, 200, '... and others need not';
like $roster->ctl('user', 'import', '-', '--role', 'user', '--one-time-password',
    {input => "email,name\nm3\@example.org,M\n"})->{out} =~ s/(\S{20})$/$roster->secret($1); '*'/mer,
    qr/^LINE +EMAIL +NAME +ROLE +RESULT +ONE-TIME PASSWORD\n +2 +m3\@example\.org +M +user +created +\*\n\z/,
    '... on paper';
is $roster->ctl('user', 'import', '-', '--role', 'user', '--must-change',
    {input => "email,name,password\nm4\@example.org,M,another password\n"})->{status}, 0, 'an import of passwords';
is_problem $roster->sign_in('m4@example.org', password => 'another password'), 403, $CODE, '... which must be changed';
ends_with $roster->ctl('user', 'import', '-', '--one-time-password', '--no-password', {input => ''}), 2,
    qr/can't be used together/, '... or none';

# ---- The last sign-in ----

sub last_sign_in ($email) {
    return ($roster->sql('SELECT last_sign_in_at, last_sign_in_address FROM user WHERE email = ?', $email))[0];
}
is_deeply last_sign_in('m4@example.org'), [undef, undef], 'who only was asked for a new password was never here';
my $made = $roster->post('/auths/add', $admin, {name => 'N', email => 'n@example.org', password => 'another password'});
is_deeply [$made->{status}, last_sign_in('n@example.org')], [200, [undef, undef]],
    '... nor who was given a token by an administrator';
is $roster->sign_in('n@example.org', password => 'another password')->{status}, 200, 'who signs in';
my ($at, $address) = @{last_sign_in('n@example.org')};
cmp_ok abs($at - time), '<', 60, '... was here now';
ok length $address, '... from an address';

# ---- Where nobody signs in with a password ----

one_time('user', 'passwd', 'bob@example.org', '--one-time-password');
sleep 1;
my $token = $roster->token_for($session->{json}{id});
is_problem $roster->get('/auths/', $token), 403, $CODE, 'with passwords, a token is refused';
$roster->reconfigure(password_sign_in => 'no');
is $roster->get('/auths/', $token)->{status}, 200, '... without them it is good';
like $roster->ctl('user', 'passwd', 'bob@example.org', '--one-time-password')->{err},
    qr/^Note: nobody signs in with a password here/m, '... and rosterctl says so';
$roster->reconfigure(password_sign_in => 'yes', trusted_email_header => 'X-Email', trusted_proxies => '127.0.0.1');
my $trusted = $roster->request(
    POST => '/auths/signin',
    json => {email => '', password => ''},
    headers => ['X-Email' => 'bob@example.org']);
is $trusted->{status}, 200, 'a proxy in front signs in' or diag $trusted->{body};
is $roster->get('/auths/', $trusted->{json}{token})->{status}, 200, '... and the session is good';

done_testing;
