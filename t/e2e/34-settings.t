# The settings that administrators change at run time: what GET /auths/admin/config gave is accepted by POST, whatever
# is stored; the paths of API keys; time zones.
use v5.36;
use utf8;

use Test::More;
use Roster;

my $roster = Roster->new;
my $admin = $roster->add_user(role => 'admin');
my $user = $roster->add_user;
my ($true, $false) = (JSON::PP::true, JSON::PP::false);

sub set_config (%change) {
    my $answer = $roster->post('/auths/admin/config', $admin, {%{$roster->settings($admin)}, %change});
    is $answer->{status}, 200, 'set ' . join ' ', map { "$_=$change{$_}" } sort keys %change or diag $answer->{body};
    return $answer->{json};
}

# What GET gives goes back as it is, and comes out again.
sub comes_back ($name) {
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    for my $target ('/auths/admin/config', '/auths/admin/config/ldap/server') {
        my $given = $roster->get($target, $admin)->{json};
        my $taken = $roster->post($target, $admin, $given);
        is $taken->{status}, 200, "$name: $target is taken as it was given" or diag $taken->{body};
        is_deeply $taken->{json}, $given, '... and comes out again';
    }
    return;
}

sub store ($document) {
    my $text = ref $document ? JSON::PP->new->canonical->encode($document) : $document;
    $roster->sql('INSERT INTO config (id, data, version) VALUES (1, ?, 0) ON DUPLICATE KEY UPDATE data = VALUES(data)',
        $text);
    return;
}

comes_back('nothing stored');

subtest 'a default group that goes' => sub {
    my $number = 0;
    my %ways = (
        'by the API' => sub ($id) {
            is $roster->ask(DELETE => "/groups/id/$id/delete", $admin)->{status}, 200, 'deleted';
        },
        'by rosterctl' => sub ($id) { is + ($roster->rosterctl('group', 'delete', $id, '--yes'))[0], 0, 'deleted' },
        'by hand' => sub ($id) { $roster->sql('DELETE FROM `group` WHERE id = ?', $id) });
    for my $way (sort keys %ways) {
        my $group = $roster->post('/groups/create', $admin, {name => "Group " . ++$number, description => ''})->{json};
        my $other = $roster->post('/groups/create', $admin, {name => "Other $number", description => ''})->{json};
        is set_config(DEFAULT_GROUP_ID => $group->{id}, WEBUI_URL => "https://$number.example.org")->{DEFAULT_GROUP_ID},
            $group->{id}, "$way: a default group";
        is $roster->ask(DELETE => "/groups/id/$other->{id}/delete", $admin)->{status}, 200, 'another group goes';
        is $roster->settings($admin)->{DEFAULT_GROUP_ID}, $group->{id}, '... which is nothing to it';
        $ways{$way}->($group->{id});
        is $roster->settings($admin)->{DEFAULT_GROUP_ID}, '', "$way: none is left";
        is $roster->settings($admin)->{WEBUI_URL}, "https://$number.example.org", '... and the other settings are';
        is $roster->sql(q{SELECT JSON_VALUE(data, '$.ui.default_group_id') FROM config}), '', '... nor in the table'
            if $way ne 'by hand';
        comes_back($way);
        my $new = $roster->post('/auths/add', $admin,
            {name => 'N', email => "new$number\@example.org", password => 'a rather long one'});
        is $new->{status}, 200, 'accounts can be made';
    }
    is_problem $roster->post('/auths/admin/config', $admin,
        {%{$roster->settings($admin)}, DEFAULT_GROUP_ID => 'nothing'}), 422,
        'VALIDATION_ERROR', 'a group that there is not is refused all the same';
    is_deeply [
        map { $_->{loc}[1] } @{
            $roster->post(
                '/auths/admin/config',
                $admin,
                {
                    %{$roster->settings($admin)},
                    WEBUI_URL => 'x' x 16_001,
                    DEFAULT_GROUP_ID => 'nothing',
                    JWT_EXPIRES_IN => 'soon'
                }
            )->{json}{detail}
        }
        ],
        [qw(WEBUI_URL DEFAULT_GROUP_ID JWT_EXPIRES_IN)], '... and what else is wrong is told with it';
};

subtest 'whatever is stored' => sub {
    my @values = (
        'text', '', 'root', 'Admin', '4 weeks', '-2', "a\x{0}b", "\x{9b}\x{202e}", 'x' x 5000, 0, 1, 2, -1, 1.5, 1e300,
        $true, $false, undef, [], ['a'], {}, {a => 1});
    my @paths = qw(auth.admin.show webui.url ui.enable_signup auth.enable_api_keys auth.api_key.endpoint_restrictions
        auth.api_key.allowed_endpoints ui.default_user_role ui.default_group_id auth.jwt_expiry
        ui.enable_community_sharing ui.enable_message_rating folders.enable channels.enable notes.enable
        ui.enable_user_webhooks ui.pending_user_overlay_title ui.pending_user_overlay_content ui.watermark
        ldap.server.label ldap.server.host ldap.server.port ldap.server.attribute_for_mail
        ldap.server.app_password ldap.server.use_tls ldap.server.ca_cert_file ldap.server.validate_cert
        ldap.server.ciphers);
    for my $value (@values) {
        my %document;
        for my $path (@paths) {
            my @names = split /\./, $path;
            my $last = pop @names;
            my $at = \%document;
            $at = $at->{$_} //= {} for @names;
            $at->{$last} = $value;
        }
        store(\%document);
        comes_back(substr JSON::PP->new->allow_nonref->ascii->encode($value), 0, 20);
    }
    for my $document (
        '{"ldap":{"server":{"port":9223372036854775808}}}', '{"ldap":{"server":{"port":-99999999999999999999}}}',
        '{"ui":[]}', '{"ui":null,"auth":7}')
    {
        store($document);
        comes_back($document);
    }
    store({ui => {enable_signup => 0, default_user_role => 'root'}, auth => {jwt_expiry => 'soon'}});
    is_deeply [@{$roster->settings($admin)}{qw(ENABLE_SIGNUP DEFAULT_USER_ROLE JWT_EXPIRES_IN)}],
        [$false, 'pending', '4w'],
        'what can\'t be taken is shown as what counts';
    my $sign_up = $roster->request(
        POST => '/auths/signup',
        json => {name => 'N', email => 'n@example.org', password => 'a rather long one'});
    is_problem $sign_up, 403, 'ACCESS_PROHIBITED', '... and counts: 0 switches off';
    store({ui => {enable_signup => $true, default_user_role => 'root'}});
    $sign_up = $roster->request(
        POST => '/auths/signup',
        json => {name => 'N', email => 'n@example.org', password => 'a rather long one'});
    is $sign_up->{json}{role}, 'pending', '... a word that is no role makes nobody one';
    store('{}');
};

subtest 'the paths of API keys' => sub {
    set_config(ENABLE_API_KEYS => $true);
    is $roster->post('/users/default/permissions', $admin,
        {workspace => {}, sharing => {}, chat => {}, features => {api_keys => $true}})->{status}, 200,
        'everybody may have keys';
    my $key = $roster->post('/auths/api_key', $user, undef)->{json}{api_key};
    $roster->secret($key);
    my @all = ('/users/user/info', '/api/v1/users/user/info', '/users/user/info/', '/auths/', '/api/v1/auths');
    # What a list allows of these.
    my %allowed = (
        '/api/v1' => \@all,
        '/api' => \@all,
        ' /api/v1/ ' => \@all,
        '/api/' => \@all,
        '/nothing, /api' => \@all,
        '/users' => [@all[0 .. 2]],
        '/api/v1/users' => [@all[0 .. 2]],
        '/api/v1/users/' => [@all[0 .. 2]],
        ' /users , ' => [@all[0 .. 2]],
        '/users/user/info' => [@all[0 .. 2]],
        '/auths' => [@all[3, 4]],
        '/groups,/auths/' => [@all[3, 4]],
        '' => [],
        ',' => [],
        ' , ,' => [],
        '/' => [],
        '/user' => [],
        '/users/user/inf' => [],
        '/api/v2' => [],
        '/ap' => [],
        '/api/users' => [],
        'users' => [],
        '/api/v1x' => [],
        '/users/user/info/x' => []);
    for my $list (sort keys %allowed) {
        set_config(ENABLE_API_KEYS_ENDPOINT_RESTRICTIONS => $true, API_KEYS_ALLOWED_ENDPOINTS => $list);
        my %may = map { ($_ => 1) } @{$allowed{$list}};
        for my $path (@all) {
            my $answer = $roster->request(GET => $path, headers => ['x-api-key' => $key]);
            $may{$path} ? is $answer->{status}, 200, "'$list' allows $path" : is_problem $answer, 403,
                'API_KEY_ENDPOINT_NOT_ALLOWED', "'$list' does not allow $path";
        }
    }
    set_config(ENABLE_API_KEYS_ENDPOINT_RESTRICTIONS => $false);
    is $roster->request(GET => '/auths/', headers => ['x-api-key' => $key])->{status}, 200,
        'without the restriction all is allowed';
    for my $everything ('/api', '/api/', '/api/v1', '/') {
        is_problem $roster->post('/auths/api_keys', $user, {name => 'k', routes => ['/users', $everything]}), 422,
            'VALIDATION_ERROR', "a key of its own for '$everything' is one without a list";
        is + ($roster->rosterctl('key', 'add', $user->{id}, '--name', 'k', '--routes', $everything))[0] >> 8, 2,
            '... for rosterctl, too';
    }
};

subtest 'time zones' => sub {
    for my $zone (
        'Asia/Calcutta', 'Asia/Kolkata', 'Europe/Kiev', 'US/Eastern',
        'GMT+0', 'Etc/GMT-14', 'America/Argentina/ComodRivadavia', 'UTC')
    {
        is $roster->post('/auths/update/timezone', $user, {timezone => $zone})->{status}, 200, $zone;
        is + ($roster->rosterctl('user', 'set', $user->{id}, '--timezone', $zone))[0], 0, '... by rosterctl';
    }
    for my $none (
        'localtime', 'posixrules', 'right/Europe/Vienna', 'posix/UTC',
        'leapseconds', 'asia/calcutta', 'Europe//Vienna', 'Europe',
        '')
    {
        my $answer = $roster->post('/auths/update/timezone', $user, {timezone => $none});
        is_problem $answer, 422, 'VALIDATION_ERROR', "'$none' is none";
        is + ($roster->rosterctl('user', 'set', $user->{id}, '--timezone', $none))[0] >> 8, 2,
            '... for rosterctl neither';
    }
    is $roster->get('/users/user/status', $user)->{json}{timezone}, 'UTC', 'the last good one stays';
};

done_testing;
