# CVE-2026-45339, CWE-863: an API key that may call some paths alone calls all of them by another header field or spelling.
use v5.36;

use Test::More;
use Roster::Attack;

# What a key may call, by the settings of all keys or by its own list, wherever it stands, and however the path is spelled.
attack 'every place of a key, every spelling of a path' => sub ($roster) {
    set_config(
        $roster,
        {
            auth => {
                enable_api_keys => JSON::PP::true,
                api_key => {endpoint_restrictions => JSON::PP::true, allowed_endpoints => '/auths, /users/user/info'}
            }
        });
    my $admin = $roster->add_user(role => 'admin');
    my $plain = $roster->post('/auths/api_key', $admin, {})->{json}{api_key};
    set_config($roster, {auth => {enable_api_keys => JSON::PP::true}});
    my $named = $roster->post('/auths/api_keys', $admin, {name => 'narrow', routes => ['/users/user/info']});
    is $named->{status}, 200, 'a key with a list of its own' or diag $named->{body};
    my %lists = (
        'the list of all keys' => [$plain, JSON::PP::true],
        'its own list' => [$named->{json}{api_key} // $named->{json}{key}, JSON::PP::false]);
    my %places = (
        'Authorization' => sub ($key) { [Authorization => "Bearer $key"] },
        'authorization in other letters' => sub ($key) { [aUTHORIZATION => "bEARER $key"] },
        'x-api-key' => sub ($key) { ['x-api-key' => $key] },
        'X-API-KEY' => sub ($key) { ['X-API-KEY' => $key] },
        'the cookie' => sub ($key) { [Cookie => "token=$key"] },
        'x-api-key beside a scheme that is not ours' =>
            sub ($key) { [Authorization => 'Basic eDp5', 'x-api-key' => $key] },
        'the cookie beside a scheme that is not ours' =>
            sub ($key) { [Authorization => 'Basic eDp5', Cookie => "token=$key"] },);
    my @refused = (
        '/users/all', '/api/v1/users/all',
        '/users/all/', '//users/all',
        '/users//all', '/users/%61ll',
        '/%75sers/all', '/users/./all',
        '/users/user/info/../../all', '/users/user/info/%2e%2e/%2e%2e/all',
        '/users/user/info/..%2f..%2fall', '/users/all?x=/users/user/info',
        '/users/all#/users/user/info', '/users/all;/users/user/info',
        '/users/user/infos', '/USERS/all');
    for my $list (sort keys %lists) {
        my ($key, $restricted) = @{$lists{$list}};
        $roster->secret($key);
        set_config(
            $roster,
            {
                auth => {
                    enable_api_keys => JSON::PP::true,
                    api_key => {endpoint_restrictions => $restricted, allowed_endpoints => '/auths, /users/user/info'}
                }
            });
        for my $place (sort keys %places) {
            my $headers = $places{$place}->($key);
            is $roster->request(GET => '/api/v1/users/user/info', headers => $headers)->{status}, 200,
                "$list, $place: what it may call";
            my %got;
            $got{in_short($roster->request(GET => $_, headers => $headers))}++ for @refused;
            my @bad = grep { !/^(?:403 API_KEY_ENDPOINT_NOT_ALLOWED|40[04] \w+)$/ } sort keys %got;
            ok !@bad && $got{'403 API_KEY_ENDPOINT_NOT_ALLOWED'} >= 3, "$list, $place: and nothing else"
                or diag explain \%got;
        }
    }
    set_config($roster, undef);
};

end_of_attacks;
