# Bench::Targets: what is asked for.
#
# A target: key, name, requests (Bench::Load), process (who answers it: roster, plain, peer, floor-KIND), port (of
# nginx), pool (of roster's workers), floor (the key of the target that its figures are compared with, beside hello and
# user), slow (it hashes), wanted (what the comparison should show: see Bench::Wanted).
package Bench::Targets;
use v5.36;

use List::Util ();

use Bench::Load;
use Bench::Number;
use Bench::People;
use Bench::Stack;

# The person who is asked for where one is.
my $ONE = 500;

# A uniform choice, and the same one in every run.
sub shuffled (@list) {
    srand 1;
    return List::Util::shuffle(@list);
}

sub floor ($stack, $kind) {
    my $token = $stack->{admin}{token};
    my @requests =
        $kind eq 'update'
        ? map { [POST => "/floor/update/$_", $token, '{"number":COUNT}'] } shuffled($stack->writers)
        : [GET => "/floor/$kind", $token];
    return {
        key => "floor-$kind",
        name => "floor '$kind'",
        process => "floor-$kind",
        port => $stack->port,
        requests => \@requests
    };
}

sub peer ($stack) {
    return {
        key => 'peer',
        name => 'peer.php, one id',
        process => 'peer',
        port => $stack->port,
        floor => 'floor-user',
        requests => [[GET => '/peer/' . Bench::People::id($ONE), $stack->{admin}{token}]]
    };
}

sub roster ($stack, $key, $name, $floor, $pool, @requests) {
    return {
        key => $key,
        name => $name,
        process => 'roster',
        port => $stack->port,
        pool => $pool,
        floor => $floor,
        requests => \@requests
    };
}

# The same by the roster without the identity table.
sub plain ($stack, $target) {
    return {
        %$target,
        key => "$target->{key}-plain",
        name => "$target->{name}, no table",
        process => 'plain',
        port => $stack->plain_port
    };
}

sub one_user ($stack) {
    return roster($stack, 'user', 'GET /users/{id}, one id',
        'floor-user', 'api', [GET => '/users/' . Bench::People::id($ONE), $stack->{admin}{token}]);
}

sub many_users ($stack, $users) {
    my $token = $stack->{admin}{token};
    my @numbers = shuffled(1 .. $users);
    my $last = $#numbers < 9999 ? $#numbers : 9999;
    my $target = roster($stack, 'users', sprintf('GET /users/{id}, %s ids', Bench::Number::commas($last + 1)),
        'floor-user', 'api', map { [GET => '/users/' . Bench::People::id($_), $token] } @numbers[0 .. $last]);
    # What is kept of a person is read again after identity_cache: while the others are measured, all of it goes.
    return {%$target, warm => 2};
}

# Each request is another person's, who was active long ago: it also notes their activity.
sub touches ($stack) {
    my $users = $stack->{option}{users};
    my @people = Bench::People::sign_in_active($stack->roster, shuffled($stack->active));
    return roster($stack, 'touches', 'GET /users/{id}, activity is noted',
        'floor-user', 'api',
        map { [GET => '/users/' . Bench::People::id(1 + $_ * 7 % $users), $people[$_]{token}] } 0 .. $#people);
}

sub permissions ($stack) {
    return roster($stack, 'permissions', 'GET /users/permissions, 5 groups',
        'floor-user', 'api', [GET => '/users/permissions', $stack->{member}{token}]);
}

sub active ($stack) {
    my $path = '/users/' . Bench::People::id($ONE) . '/active';
    return roster($stack, 'active', 'GET /users/{id}/active', 'floor-user', 'api',
        [GET => $path, $stack->{admin}{token}]);
}

# As nginx asks it for an application, but without the request that it asks for.
sub verify ($stack) {
    return roster($stack, 'verify', 'GET /verify', 'floor-user', 'api', [GET => '/verify', $stack->{admin}{token}]);
}

sub page ($stack, $key, $number) {
    return roster($stack, $key, "GET /users/?page=$number",
        'floor-list', 'directory', [GET => "/users/?page=$number", $stack->{admin}{token}]);
}

sub search ($stack, $key, $what, $query) {
    return roster($stack, $key, "GET /users/search, $what",
        'floor-list', 'directory', [GET => "/users/search?query=$query", $stack->{admin}{token}]);
}

# Each request is another person's: those of one person wait for each other.
sub update ($stack) {
    my @people = Bench::People::sign_in($stack->roster, shuffled($stack->writers));
    my @requests = map { [POST => '/users/user/info/update', $_->{token}, '{"number":COUNT}'] } @people;
    return roster($stack, 'update', 'POST /users/user/info/update', 'floor-update', 'api', @requests);
}

# People who have signed in before, so that their hashes are Roster's.
sub sign_in ($stack) {
    my @requests =
        map { [POST => '/auths/signin', undef, qq({"email":"resident$_\@example.org","password":"$Roster::PASSWORD"})] }
        1 .. 20;
    Bench::Load::succeed($stack->port, \@requests, 20);
    return {%{roster($stack, 'sign-in', 'POST /auths/signin', undef, 'password', @requests)}, slow => 1};
}

# Those of the comparison, with what they should show. The stack has those who change something. Options: users, sign_in.
sub all ($stack, %option) {
    my $users = many_users($stack, $option{users});
    return (
        (map { floor($stack, $_) } @Bench::Stack::FLOORS),
        $stack->has_peer ? peer($stack) : (),
        {%{one_user($stack)}, wanted => {'of user' => 2, 'of hello' => 0.8, 'of peer' => 3.5, spread => 4}},
        {%{verify($stack)}, wanted => {'of hello' => 0.8, processor => 1.25, spread => 4}},
        {%$users, wanted => {'of user' => 1.8, 'of hello' => 0.8, spread => 4}},
        {%{plain($stack, $users)}, wanted => {'of user' => 0.8}},
        touches($stack),
        {%{permissions($stack)}, wanted => {'of hello' => 0.8}},
        {%{active($stack)}, wanted => {'of hello' => 0.8}},
        {%{page($stack, 'list', 1)}, wanted => {'of its floor' => 0.8}},
        {%{search($stack, 'search', '4 letters', 'lena')}, wanted => {'of its floor' => 0.5}},
        {%{update($stack)}, wanted => {'of its floor' => 0.8}},
        $option{sign_in} ? sign_in($stack) : ());
}

# Those whose cost may grow with the number of people; `head` stands above their column. `wanted`: how many times p50
# of the fewest people it may be, or how many milliseconds.
sub growing ($stack, $users) {
    my $last = int(($users + 2) / 30);
    my @searches = (
        ['everybody', 'everybody found', 'example'],
        ['tenth', 'a tenth found', 'lena'],
        ['one', 'one found', 'dent77%40'],
        ['nobody', 'nobody found', 'qqqq']);
    return (
        {%{many_users($stack, $users)}, name => 'GET /users/{id}, many ids', head => '{id}', wanted => {times => 1.1}},
        {%{page($stack, 'first', 1)}, head => '?page=1', wanted => {times => 1.5}},
        {
            %{page($stack, 'last', $last)},
            name => 'GET /users/, last page',
            head => 'last page',
            wanted => {milliseconds => 60}
        },
        map { { %{search($stack, @$_)}, head => "find $_->[0]", wanted => {milliseconds => 30} } } @searches);
}

1;
