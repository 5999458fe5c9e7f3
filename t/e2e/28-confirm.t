# Confirmation: what administrators do to accounts, roles, settings and keys takes the password again, where
# confirm_changes says so; for ten minutes, in this session, on each worker. And ending everything: sessions and keys.
use v5.36;

use JSON::PP ();
use Test::More;

use Roster;
use Roster::Tables;

my $json = JSON::PP->new->utf8;
my $roster = Roster->new(
    config => {rate_limits => 'no', identity_cache => '1h', confirm_changes => 'yes'},
    api => {workers => 3});
my $admin = $roster->add_user(role => 'admin', created_at => 1_000_000);
my $user = $roster->add_user;
my ($needed, $missing) = ('403 CONFIRMATION_REQUIRED', '422 VALIDATION_ERROR');
ok wait_until(10, sub { $roster->status->{identity_table}{state} eq 'used' }), 'there is an identity table';

$roster->ctl('settings', 'set', 'ENABLE_API_KEYS=yes');

sub jti_of ($token) { return Roster::claims_of($token)->{jti} }
sub bare ($token) { return in_short($roster->post('/auths/add', $token, {})) }

sub confirm ($token, $expected = 200, $password = $Roster::PASSWORD) {
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    return $roster->call(confirm => $expected, token => $token, json => {password => $password});
}

# ---- Which routes ----

my ($token, $other) = map { $roster->new_session($admin) } 1 .. 2;
my %route = map { ($_->{name} => $_) } Roster::Tables::records('tables/routes.def', 'ROUTE');
my @routes = map { $route{$_->{route}} } Roster::Tables::records('tables/routes.def', 'ROUTE_CONFIRM');
cmp_ok scalar @routes, '>=', 8, 'some routes need it';

sub try_route ($route, $token) {
    my $path = $route->{path} =~ s/\{\w+\}/x/gr;
    return in_short($roster->ask($route->{method} => $path, $token, $route->{method} eq 'POST' ? (json => {}) : ()));
}
is try_route($_, $token), $needed, "$_->{name} needs it, before the body is looked at" for @routes;
unlike try_route($_, $token), qr/CONFIRMATION/, "$_->{name} does not"
    for @route{qw(users_list user_get session_get admin_config_get group_create user_disable sessions_list)};
$roster->call(user_add => 'CONFIRMATION_REQUIRED', token => $token, json => {});
is in_short($roster->post('/auths/api_keys', $roster->new_session($user), {})), $missing,
    'others than administrators need not confirm';

# ---- Confirming ----

$roster->call(confirm => 'INCORRECT_PASSWORD', token => $token, json => {password => 'wrong password'});
is bare($token), $needed, 'a wrong password confirms nothing';
my $refused = $roster->sql(q{SELECT detail FROM audit WHERE through = 'confirm' AND action = 'password_refused'});
is $json->decode($refused)->{reason}, 'wrong password at a confirmation', '... and the audit tells';
is $roster->count_log(qr/confirmation failed: wrong password/), 1, '... and the log';
my $until = confirm($token)->{json}{confirmed_until};
cmp_ok abs($until - time - 600), '<', 120, 'the right one does, for ten minutes';
is_deeply [map { bare($token) } 1 .. 6], [($missing) x 6], '... for whatever worker';
is bare($other), $needed, '... in this session alone';
is $roster->sql(q{SELECT object FROM audit WHERE action = 'confirm'}), jti_of($token), '... and the audit tells which';
my $made = $roster->post('/auths/api_keys', $token, {name => 'all'});
is $made->{status}, 200, 'a key can be made then';
my $wide = $made->{json}{api_key};
my $narrow = $roster->post('/auths/api_keys', $token, {name => 'one', routes => ['/auths/add']})->{json}{api_key};
$roster->secret($_) for $wide, $narrow;

$roster->without_workers(
    sub { $roster->sql('UPDATE session SET confirmed_at = ? WHERE jti = ?', time - 601, jti_of($token)) });
ok $roster->reconfigure(identity_cache => '0');
is bare($token), $needed, 'after ten minutes it is over';
$roster->sql('UPDATE session SET confirmed_at = ? WHERE jti = ?', time - 500, jti_of($token));
is bare($token), $missing, '... and not before';

# ---- Who can't ----

my $answer = $roster->post('/auths/add', $wide, {});
is_problem $answer, 403, 'CONFIRMATION_REQUIRED', 'an API key confirms nothing';
like $answer->{json}{detail}, qr/list of paths of its own/, '... and is told what would do';
is in_short($roster->post('/auths/add', $narrow, {})), $missing, '... but one that has the path in its own list may';
is bare($admin->{token}), $needed, 'nor does a token of another program';
$answer = confirm($admin->{token}, 'SESSION_REQUIRED');
like $answer->{json}{detail}, qr/sign in/, '... which can not confirm here';
$roster->call(confirm => 'SESSION_REQUIRED', token => $wide, json => {password => $Roster::PASSWORD});
ok $roster->reconfigure(confirm_changes => 'no', password_sign_in => 'no');
$roster->call(confirm => 'ACTION_PROHIBITED', token => $token, json => {password => $Roster::PASSWORD});
is bare($other), $missing, 'without confirm_changes nothing is asked for';
ok $roster->reconfigure(password_sign_in => 'yes', rate_limits => undef, rate_limit_password => 2);
confirm($other, 'INCORRECT_PASSWORD', 'wrong password') for 1 .. 2;
confirm($other, 'RATE_LIMIT_EXCEEDED');
is in_short($roster->post('/auths/update/password', $other, {password => 'x', new_password => 'a good new one'})),
    '429 RATE_LIMIT_EXCEEDED', 'who guesses there can not go on with a change of the password';
ok $roster->reconfigure(rate_limits => 'no', rate_limit_password => undef);

# ---- Ending everything ----

sub keys_of ($who) { return scalar $roster->sql('SELECT COUNT(*) FROM api_key WHERE user_id = ?', $who->{id}) }
sub state_of ($token) { return in_short($roster->get('/auths/', $token)) }
my $over = '401 INVALID_TOKEN';
$roster->ctl('permissions', 'default', 'features.api_keys=yes');

my ($here, $there) = map { $roster->new_session($user) } 1 .. 2;

sub make_keys ($token) {
    $roster->secret($roster->call(api_key_set => 200, token => $token)->{json}{api_key});
    $roster->secret($roster->post('/auths/api_keys', $token, {name => 'k'})->{json}{api_key});
    is keys_of($user), 2, 'there are keys';
    return;
}
make_keys($here);
$answer = $roster->call(sessions_end => 200, token => $here, query => '?others=true');
is_deeply [map { state_of($_) } $here, $there, $user->{token}], ['200', $over, $over], 'all others end';
is deleted_cookies($answer), '', '... and the cookie stays';
is keys_of($user), 2, '... and so do the keys';
$there = $roster->new_session($user);
$roster->call(sessions_end => 200, token => $here, query => '?others=true&keys=true');
is_deeply [map { state_of($_) } $here, $there], ['200', $over], 'with the keys';
is keys_of($user), 0, '... which have gone';
is $roster->sql(q{SELECT COUNT(*) FROM audit WHERE through = 'sessions_end' AND action = 'key_delete'}), 2,
    '... each of them told in the audit';
make_keys($here);
$roster->call(sessions_end => 200, token => $here, query => '?keys=true');
is_deeply [state_of($here), keys_of($user)], [$over, 0], 'everything ends';
for my $with (0, 1) {
    $here = $roster->new_session($user);
    make_keys($here);
    $roster->call(
        user_sessions_end => 200,
        in => {user_id => $user->{id}},
        token => $admin->{token},
        query => $with ? '?keys=true' : '');
    is_deeply [state_of($here), keys_of($user)], [$over, $with ? 0 : 2], 'an administrator ends all, or all but keys';
    $roster->sql('DELETE FROM api_key WHERE user_id = ?', $user->{id});
}
$here = $roster->new_session($user);
make_keys($here);
is $roster->ctl('user', 'logout', $user->{id})->{status}, 0, 'rosterctl ends sessions';
is keys_of($user), 2, '... and no keys';
my $said = $roster->ctl('user', 'logout', $user->{id}, '--keys');
like $said->{out}, qr/API keys/, '... but where it is told to';
is keys_of($user), 0, '... the keys, too';
is $roster->ctl('user', 'logout', $user->{id}, '--keys', '--session', 'x')->{status}, 2, 'one session has no keys';

done_testing;
