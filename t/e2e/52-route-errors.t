# routes.def says which errors an endpoint has of its own. Each row ROUTE_ERROR stands for one request that shows it, here
# or by `call` in another test: a row without a request fails, as does a request whose answer is another. That an
# endpoint has no others is looked at in every test (Roster::Checks).
use v5.36;

use Test::More;

use Roster;
use Roster::Tables;

my %status = map { ($_->[0] => $_->[1]) } Roster::Tables::rows('tables/errors.def', 'ERROR');
my $roster = Roster->new(config => {rate_limits => 'no', last_active_interval => '1d'});
my $primary = $roster->add_user(role => 'admin', created_at => 1_000_000);
my $admin = $roster->add_user(role => 'admin', created_at => 1_000_001);
my $user = $roster->add_user;
our $stack = $roster;    # that the request goes to

sub ask ($method, $path, $who = $admin, $json = undef, %options) {
    return $stack->request(
        $method => $path,
        ($who ? (token => $who->{token}) : ()), (defined $json ? (json => $json) : ()), %options);
}

my $number = 0;

sub person (%changes) {
    $number++;
    return {
        name => "New $number",
        email => "new$number\@example.org",
        password => 'a long password',
        profile_image_url => '/user.png',
        %changes
    };
}

sub update ($of, %changes) {
    return ask(
        POST => "/users/$of->{id}/update",
        $admin,
        {role => $of->{role}, name => $of->{name}, email => $of->{email}, profile_image_url => '/user.png', %changes});
}

# While MariaDB refuses what a trigger forbids.
sub refusing ($event, $table, $code) {
    $roster->sql(
        "CREATE TRIGGER refuse BEFORE $event ON `$table` FOR EACH ROW SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = 'no'");
    my $answer = $code->();
    $roster->sql('DROP TRIGGER refuse');
    return $answer;
}

my $nobody = Roster::uuid();
my $picture = 'data:image/png;base64,bm9uZQ==';
my %bad = (
    EMAIL_TAKEN => [email => $user->{email}],
    INVALID_EMAIL_FORMAT => [email => 'no address'],
    INVALID_IMAGE => [profile_image_url => $picture],
    PASSWORD_TOO_LONG => [password => 'x' x 257],
    INVALID_PASSWORD => [password => 'short']);

# Stacks that other configurations need, made when they are first asked for.
my %other;

sub elsewhere ($config, $code) {
    local $stack = $other{join ' ', %$config} //=
        Roster->new(config => {rate_limits => 'no', last_active_interval => '1d', %$config});
    my $administrator = $stack->{administrator} //= $stack->add_user(role => 'admin', created_at => 1_000_000);
    return $code->($administrator);
}
my $proxy = {trusted_email_header => 'X-Forwarded-Email', trusted_proxies => '127.0.0.1'};

# An administrator's API key, which may not do what needs a session.
sub key () {
    $stack->change_settings($admin, ENABLE_API_KEYS => JSON::PP::true);
    return {token => ask(POST => '/auths/api_key')->{json}{api_key}};
}

# "ROUTE CODE" => what shows it.
my %shows = (
    'user_get USER_NOT_FOUND' => sub { ask(GET => "/users/$nobody") },
    'user_delete ACTION_PROHIBITED' => sub { ask(DELETE => "/users/$primary->{id}") },
    'user_delete USER_NOT_FOUND' => sub { ask(DELETE => "/users/$nobody") },
    'user_delete DELETE_USER_ERROR' => sub {
        my $gone = $roster->add_user;
        refusing(DELETE => 'user', sub { ask(DELETE => "/users/$gone->{id}") });
    },
    'user_export USER_NOT_FOUND' => sub { ask(GET => "/users/$nobody/export") },
    'user_erase ACTION_PROHIBITED' => sub { ask(POST => "/users/$primary->{id}/erase") },
    'user_erase USER_NOT_FOUND' => sub { ask(POST => "/users/$nobody/erase") },
    'user_erase DELETE_USER_ERROR' => sub {
        my $gone = $roster->add_user;
        refusing(DELETE => 'user', sub { ask(POST => "/users/$gone->{id}/erase") });
    },
    (
        map {
            my $what = $_;
            (
                "user_$what ACTION_PROHIBITED" => sub { ask(POST => "/users/$admin->{id}/$what") },
                "user_$what USER_NOT_FOUND" => sub { ask(POST => "/users/$nobody/$what") })
        } qw(disable enable)
    ),
    'user_oauth_sessions USER_NOT_FOUND' => sub { ask(GET => "/users/$nobody/oauth/sessions") },
    'user_picture USER_NOT_FOUND' => sub { ask(GET => "/users/$nobody/profile/image") },
    'user_update USER_NOT_FOUND' => sub { update({%$user, id => $nobody}) },
    'user_update ACTION_PROHIBITED' => sub { update($primary) },
    (
        map {
            my $code = $_;
            ("user_update $code" => sub { update($code eq 'EMAIL_TAKEN' ? $admin : $user, @{$bad{$code}}) })
        } keys %bad
    ),
    'user_update SESSION_REQUIRED' => sub {
        ask(
            POST => "/users/$user->{id}/update",
            key(),
            {
                role => 'user',
                name => 'x',
                email => $user->{email},
                profile_image_url => '/user.png',
                password => 'another password'
            });
    },
    'user_sessions_list USER_NOT_FOUND' => sub { ask(GET => "/users/$nobody/sessions") },
    'user_sessions_end USER_NOT_FOUND' => sub { ask(DELETE => "/users/$nobody/sessions") },
    'user_session_end USER_NOT_FOUND' => sub { ask(DELETE => "/users/$nobody/sessions/$nobody") },
    'user_session_end NOT_FOUND' => sub { ask(DELETE => "/users/$user->{id}/sessions/$nobody") },
    'sign_in INVALID_CRED' =>
        sub { ask(POST => '/auths/signin', undef, {email => $user->{email}, password => 'wrong password'}) },
    'sign_in INVALID_TRUSTED_HEADER' => sub {
        elsewhere($proxy, sub ($) { ask(POST => '/auths/signin', undef, {email => '', password => ''}) });
    },
    'sign_in INVALID_EMAIL_FORMAT' => sub {
        elsewhere(
            $proxy,
            sub ($) {
                ask(
                    POST => '/auths/signin',
                    undef, {email => '', password => ''}, headers => ['X-Forwarded-Email' => 'no address']);
            });
    },
    # One that looks like another's is not let in as that.
    'sign_in EMAIL_TAKEN' => sub {
        elsewhere(
            $proxy,
            sub ($there) {
                my $alike = $there->{email} =~ s/^p/\xef\xbd\x90/r;
                ask(
                    POST => '/auths/signin',
                    undef, {email => '', password => ''}, headers => ['X-Forwarded-Email' => $alike]);
            });
    },
    'sign_in ACTION_PROHIBITED' => sub {
        elsewhere(
            {password_sign_in => 'no'},
            sub ($there) {
                ask(POST => '/auths/signin', undef, {email => $there->{email}, password => 'wrong password'});
            });
    },
    'sign_in ACCESS_PROHIBITED' => sub {
        elsewhere(
            $proxy,
            sub ($there) {
                $stack->change_settings($there, ENABLE_SIGNUP => JSON::PP::false);
                ask(
                    POST => '/auths/signin',
                    undef, {email => '', password => ''}, headers => ['X-Forwarded-Email' => 'stranger@example.org']);
            });
    },
    'sign_out CROSS_SITE' => sub {
        ask(
            GET => '/auths/signout',
            undef, undef,
            cookie => "token=$user->{token}",
            headers => ['Sec-Fetch-Mode' => 'no-cors']);
    },
    'sign_out_post CROSS_SITE' => sub {
        ask(
            POST => '/auths/signout',
            undef, undef,
            cookie => "token=$user->{token}",
            headers => ['Sec-Fetch-Site' => 'cross-site']);
    },
    'sign_up ACCESS_PROHIBITED' => sub {
        $stack->change_settings($admin, ENABLE_SIGNUP => JSON::PP::false);
        ask(POST => '/auths/signup', undef, person());
    },
    (
        map {
            my $code = $_;
            (
                "sign_up $code" => sub {
                    $stack->change_settings($admin, ENABLE_SIGNUP => JSON::PP::true);
                    ask(POST => '/auths/signup', undef, person(@{$bad{$code}}));
                })
        } keys %bad
    ),
    'sign_up CREATE_USER_ERROR' => sub {
        $stack->change_settings($admin, ENABLE_SIGNUP => JSON::PP::true);
        refusing(INSERT => 'user', sub { ask(POST => '/auths/signup', undef, person()) });
    },
    'profile_update INVALID_IMAGE' =>
        sub { ask(POST => '/auths/update/profile', $user, {name => 'x', profile_image_url => $picture}) },
    'password_update INCORRECT_PASSWORD' => sub {
        ask(
            POST => '/auths/update/password',
            $user, {password => 'wrong password', new_password => 'another password'});
    },
    'password_update PASSWORD_TOO_LONG' =>
        sub { ask(POST => '/auths/update/password', $user, {password => $user->{password}, new_password => 'x' x 257}) }
    ,
    'password_update INVALID_PASSWORD' =>
        sub { ask(POST => '/auths/update/password', $user, {password => $user->{password}, new_password => 'short'}) },
    'password_update ACTION_PROHIBITED' => sub {
        elsewhere(
            $proxy,
            sub ($there) {
                ask(
                    POST => '/auths/update/password',
                    $there, {password => 'wrong password', new_password => 'another password'},
                    headers => ['X-Forwarded-Email' => $there->{email}]);
            });
    },
    (
        map {
            my $code = $_;
            ("user_add $code" => sub { ask(POST => '/auths/add', $admin, person(@{$bad{$code}})) })
        } keys %bad
    ),
    'user_add CREATE_USER_ERROR' => sub {
        refusing(INSERT => 'user', sub { ask(POST => '/auths/add', $admin, person()) });
    },
    'api_key_get API_KEY_NOT_FOUND' => sub { ask(GET => '/auths/api_key', $user) },
    'api_key_set API_KEY_CREATION_NOT_ALLOWED' => sub {
        $stack->change_settings($admin, ENABLE_API_KEYS => JSON::PP::false);
        ask(POST => '/auths/api_key', $user);
    },
    'api_keys_create API_KEY_CREATION_NOT_ALLOWED' => sub {
        $stack->change_settings($admin, ENABLE_API_KEYS => JSON::PP::false);
        ask(POST => '/auths/api_keys', $user, {name => 'x'});
    },
    'api_keys_get API_KEY_NOT_FOUND' => sub { ask(GET => "/auths/api_keys/$nobody", $user) },
    'api_keys_update API_KEY_NOT_FOUND' => sub { ask(POST => "/auths/api_keys/$nobody", $user, {name => 'x'}) },
    'api_keys_delete API_KEY_NOT_FOUND' => sub { ask(DELETE => "/auths/api_keys/$nobody", $user) },
    'session_end NOT_FOUND' => sub { ask(DELETE => "/auths/sessions/$nobody", $user) },
    'admin_details ACTION_PROHIBITED' => sub {
        $stack->change_settings($admin, SHOW_ADMIN_DETAILS => JSON::PP::false);
        ask(GET => '/auths/admin/details', $user);
    },
    'admin_config_set SESSION_REQUIRED' => sub {
        my $key = key();
        ask(
            POST => '/auths/admin/config',
            $key,
            {
                %{ask(GET => '/auths/admin/config')->{json}},
                ENABLE_API_KEYS_ENDPOINT_RESTRICTIONS => JSON::PP::true,
                API_KEYS_ALLOWED_ENDPOINTS => '/x'
            });
    },
    'ldap_set LDAP_NOT_SUPPORTED' =>
        sub { ask(POST => '/auths/admin/config/ldap', $admin, {enable_ldap => JSON::PP::true}) },
    'group_get NOT_FOUND' => sub { ask(GET => "/groups/id/$nobody") },
    'group_export NOT_FOUND' => sub { ask(GET => "/groups/id/$nobody/export") },
    'group_users NOT_FOUND' => sub { ask(POST => "/groups/id/$nobody/users") },
    'group_update NOT_FOUND' =>
        sub { ask(POST => "/groups/id/$nobody/update", $admin, {name => 'x', description => ''}) },
    'group_users_add NOT_FOUND' => sub { ask(POST => "/groups/id/$nobody/users/add", $admin, {user_ids => []}) },
    'group_users_remove NOT_FOUND' => sub { ask(POST => "/groups/id/$nobody/users/remove", $admin, {user_ids => []}) },
    'group_delete NOT_FOUND' => sub { ask(DELETE => "/groups/id/$nobody/delete") },
    'picture_file NOT_FOUND' => sub { ask(GET => '/pictures/' . ('0' x 64) . '.png', undef) });

my $calls = Roster::Document::calls($roster->{source});
for my $row (Roster::Tables::rows('tables/routes.def', 'ROUTE_ERROR')) {
    my ($route, $code, $other) = @$row;
    my $show = delete $shows{"$route $code"};
    if (!$show) {
        ok $calls->{"$route $code"}, "there is a request here that shows $code of $route, or a call in another test";
        next;
    }
    my $answer = $show->();
    is_problem $answer, $other || $status{$code}, $code, "$route has $code";
    # Which endpoint it was, the log says.
    my $id = $answer->{headers}{'x-request-id'};
    ok wait_until(
        10,
        sub {
            grep { $_->log_text('roster-access') =~ / request=$id .* route=$route / } $roster, values %other;
        }
        ),
        '... and it was this one';
}
is_deeply [sort keys %shows], [], 'nothing is shown that routes.def does not have';

done_testing;
