# /users, what is read: lists, their orders and pages, searches, one user, groups, permissions, settings, status, info.
use v5.36;
use utf8;

use Test::More;
use Roster;

binmode Test::More->builder->$_, ':encoding(UTF-8)' for qw(output failure_output);

# Nothing moves by itself: nobody's last_active_at is written within a day.
my $roster = Roster->new(config => {rate_limits => 'no', last_active_interval => '1d'});
my $now = time;
my $coder = JSON::PP->new->utf8->canonical->allow_nonref;
my ($true, $false) = (JSON::PP::true, JSON::PP::false);
my @user_keys = sort qw(
    id email username role name profile_image_url profile_banner_image_url bio gender date_of_birth timezone
    presence_state status_emoji status_message status_expires_at info settings oauth last_active_at updated_at
    created_at);
my @info_keys = sort qw(status_emoji status_message status_expires_at id name email role);

sub escape ($text) {
    utf8::encode($text);
    return $text =~ s/([^A-Za-z0-9])/sprintf '%%%02X', ord $1/ger;
}

# The least of several, since a worker prepares each statement once.
sub least_statements ($path, $who) {
    my $least;
    for (1 .. 6) {
        my $count = $roster->access_line($roster->get($path, $who))->{statements};
        $least = $count if !defined $least || $count < $least;
    }
    return $least;
}

# ---- People ----

# name: what stands there, and its place among all names; equal places are the same name to a search or an order.
my @names = (
    ['Ana', 10],
    ['ÁNA', 10],
    ['anä', 10],
    ['Bob', 20],
    ['bøb', undef],
    ['Čapek', 30],
    ['CAPEK', 30],
    ['Émile Zola', 40],
    ['emile zola', 40],
    ['Zoë', 50],
    ['ZOE', 50],
    ['Ωμέγα', 60],
    ['ωμεγα', 60],
    ['Жуков', 70],
    ['ЖУКОВ', 70],
    ['אברהם', 80],
    ['山田太郎', 90]);
splice @names, 4, 1;    # ø is a letter of its own in some alphabets, an accent in others

my @people;

sub add ($letters, $name, $place, %columns) {
    my $index = @people;
    my $user = $roster->add_user(
        name => $name,
        email => "$letters\@" . ($columns{domain} // 'thirty.example'),
        created_at => $now - 40000 + int($index / 3),
        updated_at => $now - 30000 - int($index / 4),
        last_active_at => $now - 20000 + ($index * 7 % 11),
        # Ids that follow no other order.
        id => Digest::SHA::sha1_hex($index) =~ s/^(.{8})(.{4})(.{4})(.{4})(.{12}).*/$1-$2-$3-$4-$5/r,
        %columns{grep { $_ ne 'domain' } keys %columns});
    my ($row) = $roster->rows('SELECT created_at, updated_at, last_active_at FROM user WHERE id = ?', $user->{id});
    push @people, {%$user, %$row, place => $place};
    return $people[-1];
}

my $admin = add(
    'primary', 'Admin Primary', 5,
    role => 'admin',
    domain => 'staff.example',
    created_at => $now - 50000,
    last_active_at => $now);
my $caller = add('qcaller', 'Qu Caller', 45, domain => 'staff.example', last_active_at => $now);
my %json = (
    info => {'größe' => 1, big => 9007199254740993, list => [1.5, undef, $true, 'x'], '' => {}},
    settings => {ui => {theme => 'dark', list => [1]}, own => {x => 1}},
    oauth => {google => {sub => '123'}});
my $full = add(
    'fullone', "Full \"O'Ne\\", 42,
    domain => 'staff.example',
    username => 'fullname',
    role => 'user',
    profile_image_url => 'https://example.org/p.png',
    profile_banner_image_url => 'https://example.org/b.png',
    bio => "a\tb\nc \x{2028}</script>\x{1F600}",
    gender => 'none',
    date_of_birth => '1999-12-31',
    timezone => 'Europe/Vienna',
    presence_state => 'away',
    status_emoji => "\x{1F3D6}",
    status_message => 'on holiday',
    status_expires_at => $now + 5_000_000_000,
    %json);
my $bare = add('barepip', 'Lonely', 44, domain => 'staff.example', role => 'pending');
my $letters = 'jzqwexrtyvuiopasdfghklcbnm';
my @roles = qw(user pending admin user user);
for my $index (0 .. 29) {
    my ($name, $place) = @{$names[$index % @names]};
    # Letters without an order, and different ones.
    my $local = join '', map { substr $letters, ($index * (2 * $_ + 1) + $_ * $_) % 26, 1 } 0 .. 6;
    add($local . chr(97 + $index % 26) . chr(97 + int($index / 26)), $name, $place, role => $roles[$index % @roles]);
}
add('percent', '100% a%b', 3, domain => 'odd.example');
add('underline', '100_ a_b', 1, domain => 'odd.example');
add('backslash', '100\\ a\\b', 2, domain => 'odd.example');
my %by_id = map { ($_->{id} => $_) } @people;
is scalar(@people), 37, 'there are 37 people';

# ---- Shapes ----

my %columns = (map({ ($_ => undef) } @user_keys), profile_image_url => '/user.png');

sub user ($person, %more) {
    return {
        %columns,
        (map { ($_ => $person->{$_}) } qw(id email name role)),
        (map { ($_ => $person->{$_} + 0) } qw(created_at updated_at last_active_at)), %more
    };
}
my %full = (
    username => 'fullname',
    profile_image_url => 'https://example.org/p.png',
    profile_banner_image_url => 'https://example.org/b.png',
    bio => "a\tb\nc \x{2028}</script>\x{1F600}",
    gender => 'none',
    date_of_birth => '1999-12-31',
    timezone => 'Europe/Vienna',
    presence_state => 'away',
    status_emoji => "\x{1F3D6}",
    status_message => 'on holiday',
    status_expires_at => $now + 5_000_000_000);
my %hidden = (info => undef, settings => undef, oauth => undef);
is_json $roster->get("/users/$full->{id}", $admin), user($full, %full, %json, groups => [], is_active => $false),
    'an administrator sees a user whole';
is_json $roster->get("/users/$full->{id}", $full), user($full, %full, %json, groups => [], is_active => $false),
    'so do users themselves';
is_json $roster->get("/users/$full->{id}", $caller), user($full, %full, groups => [], is_active => $false),
    'others see neither info nor settings nor oauth';
is_json $roster->get("/users/$bare->{id}", $admin), user($bare, groups => [], is_active => $false),
    'what was never set is null';
is_json $roster->get('/users/user/status', $full), user($full, %full, %json), 'the status is a User';
is_json $roster->get('/users/user/status', $caller), user($caller), 'with nulls';
is_problem $roster->get('/users/nobody', $admin), 400, 'USER_NOT_FOUND', 'an unknown user';
is_problem $roster->get("/users/\U$full->{id}", $admin), 400, 'USER_NOT_FOUND', 'an id in capitals is another id';
is_problem $roster->get("/users/$full->{id}%20", $admin), 400, 'USER_NOT_FOUND', 'so is one with a space behind it';
is_problem $roster->get('/users/' . escape("\x{1F600}") x 100, $caller), 400, 'USER_NOT_FOUND',
    'and one of other letters';
is_json $roster->get('/users/' . ($full->{id} =~ s/-/%2D/gr), $full),
    user($full, %full, %json, groups => [], is_active => $false), '%2D is a -';

{
    my $list = $roster->get('/users/?query=fullone', $admin);
    is_json $list, {users => [user($full, %full, %json, group_ids => [])], total => 1},
        'a row of the list is a User with group_ids';
    my %info = (
        id => $full->{id},
        name => $full->{name},
        email => $full->{email},
        role => 'user',
        status_emoji => "\x{1F3D6}",
        status_message => 'on holiday',
        status_expires_at => $now + 5_000_000_000);
    is_json $roster->get('/users/search?query=fullone', $caller), {users => [\%info], total => 1},
        'a row of the search is a UserInfo';
    my ($row) = grep { $_->{id} eq $full->{id} } @{$roster->get('/users/all', $admin)->{json}{users}};
    is $coder->encode($row), $coder->encode(\%info), 'so is one of /users/all';
    %info = (
        id => $bare->{id},
        name => $bare->{name},
        email => $bare->{email},
        role => 'pending',
        status_emoji => undef,
        status_message => undef,
        status_expires_at => undef);
    is_json $roster->get('/users/search?query=barepip', $caller), {users => [\%info], total => 1}, 'with nulls';
}

# ---- Lists ----

my %group;
for my $name (qw(Alpha Beta)) {
    my $answer = $roster->post('/groups/create', $admin, {name => $name, description => "The $name"});
    $group{$name} = $answer->{json}{id};
}
my %member;
for my $index (0 .. $#people) {
    for my $name (grep { $index % ($_ eq 'Alpha' ? 3 : 4) == 0 } qw(Alpha Beta)) {
        $roster->sql('INSERT INTO group_member (id, group_id, user_id, created_at, updated_at) VALUES (?, ?, ?, 1, 1)',
            "$name$index", $group{$name}, $people[$index]{id});
        $member{$group{$name}}{$people[$index]{id}} = 1;
    }
}
$roster->sql('UPDATE `group` SET updated_at = IF(name = ?, 2000, 1000), created_at = 500', 'Beta');

# All pages, one behind the other; each says the same total.
sub walk ($path, $who) {
    my (@ids, %totals);
    for my $page (1 .. 5) {
        my $answer = $roster->get($path . ($path =~ /\?/ ? '&' : '?') . "page=$page", $who);
        return "page $page: $answer->{status} $answer->{body}" if $answer->{status} != 200;
        my $users = $answer->{json}{users};
        return "page $page has " . @$users . ' rows'
            if @$users > 30 || (@$users && @$users < 30 && @ids + @$users != $answer->{json}{total});
        $totals{$answer->{json}{total}} = 1;
        push @ids, map { $_->{id} } @$users;
        last if !@$users;
    }
    return join "\n", map({ $by_id{$_}{email} // $_ } @ids), 'total ' . join ' ', keys %totals;
}

sub wanted (@sorted) {
    return join "\n", map({ $_->{email} } @sorted), 'total ' . @sorted;
}

my %compare = (
    name => sub ($x, $y) { $x->{place} <=> $y->{place} },
    email => sub ($x, $y) { $x->{email} cmp $y->{email} },
    role => sub ($x, $y) { $x->{role} cmp $y->{role} },
    map {
        my $key = $_;
        ($key => sub ($x, $y) { $x->{$key} <=> $y->{$key} })
    } qw(created_at last_active_at updated_at));
my @newest = sort { $b->{created_at} <=> $a->{created_at} || $b->{id} cmp $a->{id} } @people;
for my $path ('/users/', '/users/search') {
    my $who = $path eq '/users/' ? $admin : $caller;
    for my $key (sort keys %compare) {
        my @ascending = sort { $compare{$key}->($a, $b) || $a->{id} cmp $b->{id} } @people;
        cmp_ok scalar(grep { !$compare{$key}->(@ascending[$_ - 1, $_]) } 1 .. $#ascending), '>', 3,
            "there are ties in $key"
            if $key ne 'email';
        is walk("$path?order_by=$key&direction=asc", $who), wanted(@ascending), "$path by $key, ascending, then by id";
        my @other =
            $path eq '/users/'
            ? ('&direction=desc', '', '&direction=', '&direction=ASC', '&direction=up')
            : '&direction=desc';
        is walk("$path?order_by=$key$_", $who), wanted(reverse @ascending), "$path by $key, descending with '$_'"
            for @other;
    }
    is walk($path, $who), wanted(@newest), "$path without an order: newest first";
    is walk("$path?order_by=$_", $who), wanted(@newest), "$path by '$_': newest first"
        for 'password', 'Name', '', 'name%20', 'id', 'settings&direction=asc', 'x%27%20OR%201&direction=asc',
        'group_id&direction=asc', '%CE%A9';
    for my $id (values %group) {
        my $in = sub ($x) { $member{$id}{$x->{id}} // 0 };
        my $by_name = sub ($x, $y) { $x->{place} <=> $y->{place} || $x->{id} cmp $y->{id} };
        my @first = sort { $in->($b) <=> $in->($a) || $by_name->($a, $b) } @people;
        my @last = sort { $in->($a) <=> $in->($b) || $by_name->($a, $b) } @people;
        is walk("$path?order_by=group_id:$id", $who), wanted(@first),
            "$path by group: members first, each part by name";
        is walk("$path?order_by=group_id:$id&direction=desc", $who), wanted(@first),
            "$path by group, descending: the same";
        is walk("$path?order_by=group_id%3A$id&direction=asc", $who), wanted(@last),
            "$path by group, ascending: members last, each part by name all the same";
    }
    is walk("$path?order_by=group_id:$_", $who),
        wanted(sort { $a->{place} <=> $b->{place} || $a->{id} cmp $b->{id} } @people),
        "$path by a group that there is not, '$_': by name"
        for '', 'nobody', '%27', '%F0%9F%98%80';

    # Pages.
    is_json $roster->get("$path?page=1", $who), $roster->get($path, $who)->{json}, "$path: no page is page 1";
    is_json $roster->get("$path?page=$_", $who), $roster->get($path, $who)->{json}, "$path: page $_ is page 1"
        for 0, -1, -99999999999, '+1', '%201%20', '1.0', '01', '2&page=1', '%2B1';
    is_json $roster->get("$path?page=$_", $who), $roster->get("$path?page=2", $who)->{json}, "$path: page $_ is page 2"
        for 'abc&page=2', '2.00';
    is_json $roster->get("$path?page=$_", $who), {users => [], total => 37}, "$path: page $_ is behind the last"
        for 3, 4000, 4294967297, 9223372036854775807;
    for my $case (
        ['', 'int_parsing'],
        ['abc', 'int_parsing'],
        ['1.5', 'int_parsing'],
        ['1e3', 'int_parsing'],
        ['0x1', 'int_parsing'],
        ['%D9%A3', 'int_parsing'],
        ['9223372036854775808', 'int_parsing_size'],
        ['1' x 400, 'int_parsing_size'],
        ['null', 'int_parsing'],
        ['1&page=', 'int_parsing'],
        ['%00', 'int_parsing'],
        ['%FF', 'int_parsing'])
    {
        my $answer = $roster->get("$path?page=$case->[0]", $who);
        is_problem $answer, 422, 'VALIDATION_ERROR', "$path: page=" . substr($case->[0], 0, 20) . ' is refused';
        is_deeply [map { [@$_{qw(type loc)}] } @{$answer->{json}{detail}}], [[$case->[1], ['query', 'page']]],
            "as $case->[1]";
    }
    is_json $roster->get("$path?", $who), $roster->get($path, $who)->{json}, "$path: a bare ? is no parameter";
    is_json $roster->get("$path?&&x=1&page&page=1", $who), $roster->get($path, $who)->{json},
        "$path: others are passed over";
}

# ---- Searches ----

sub found ($query, $more = '') {
    my $answer = $roster->get('/users/search?order_by=name&direction=asc&query=' . escape($query) . $more, $caller);
    return "$answer->{status} $answer->{body}" if $answer->{status} != 200;
    my %names = map { ($_->{name} => 1) } @{$answer->{json}{users}};
    return join '|', (sort keys %names), 'total', $answer->{json}{total};
}

sub among ($pattern) {
    my @found = grep { "$_->{name}\n$_->{email}" =~ $pattern } @people;
    my %names = map { ($_->{name} => 1) } @found;
    return join '|', (sort keys %names), 'total', scalar @found;
}
is found('%'), among(qr/%/), 'a % stands for itself';
is found('_'), among(qr/_/), 'a _ too';
is found('\\'), among(qr/\\/), 'and a \\';
is found('a%b'), '100% a%b|total|1', 'within a word';
is found('a_b'), '100_ a_b|total|1', 'within a word';
is found('a\\b'), '100\\ a\\b|total|1', 'within a word';
is found($_), 'total|0', "$_ is found nowhere"
    for '%%', '\\%', '\\\\', '__', '%_', 'nobody at all', "' OR 1=1 -- ", 'x' x 3000, ' ' x 20, '*', '?';
is found('100 '), 'total|0', 'a space is a space';
is found('% a'), '100% a%b|total|1', 'and is found';
for my $case (
    ['ana', 'Ana|anä|ÁNA'],
    ['ÄNÁ', 'Ana|anä|ÁNA'],
    ['čÁPEK', 'CAPEK|Čapek'],
    ['capek', 'CAPEK|Čapek'],
    ['EMILE Z', 'emile zola|Émile Zola'],
    ['éMÍLÉ', 'emile zola|Émile Zola'],
    ['oË', 'ZOE|Zoë'],
    ['ΩΜΈΓΑ', 'Ωμέγα|ωμεγα'],
    ['μεγ', 'Ωμέγα|ωμεγα'],
    ['жуков', 'ЖУКОВ|Жуков'],
    ['УКО', 'ЖУКОВ|Жуков'],
    ['ברה', 'אברהם'],
    ['田太', '山田太郎'],
    ["o'n", $full->{name}],
    ['"O', $full->{name}])
{
    my ($query, $names) = @$case;
    my %wanted = map { ($_ => 1) } split /\|/, $names;
    is found($query), join('|', (sort keys %wanted), 'total', scalar grep { $wanted{$_->{name}} } @people),
        "case and accents do not matter: '$query'";
}
is found('THIRTY.example'), among(qr/thirty\.example/), 'email addresses are searched, in any case';
is found("barepip\@staff"), 'Lonely|total|1', 'with the @';
is $roster->get('/users/search?query=', $caller)->{json}{total}, 37, 'an empty query finds all';
is $roster->get('/users/?query=100%25+a', $admin)->{json}{total}, 1, 'a + is a space';
is $roster->get('/users/?query=nothing&query=fullone', $admin)->{json}{total}, 1, 'the last of two counts';
is $roster->get('/users/?query=thirty.example&page=2', $admin)->{json}{total}, 30,
    'the total of a search counts before paging';
is_deeply $roster->get('/users/?query=thirty.example&page=2', $admin)->{json}{users}, [],
    'and its second page is empty';
{
    my $answer = $roster->get('/users/?query=%FF', $admin);
    is_problem $answer, 422, 'VALIDATION_ERROR', 'a query that is no UTF-8 is refused';
    is_deeply [map { [@$_{qw(type loc)}] } @{$answer->{json}{detail}}], [['string_unicode', ['query', 'query']]],
        'with its place';
    is_problem $roster->get('/users/search?query=a%00b', $caller), 422, 'VALIDATION_ERROR', 'so is one with a NUL';
    is $roster->get('/users/?query=%zz%', $admin)->{json}{total}, 0, 'a % without digits is a %';
}

{
    my $all = $roster->get('/users/all', $admin);
    is $all->{json}{total}, 37, '/users/all has everyone';
    is_deeply [map { $_->{id} } @{$all->{json}{users}}], [map { $_->{id} } @newest], 'newest first';
    is_deeply [grep { join(' ', sort keys %$_) ne "@info_keys" } @{$all->{json}{users}}], [], 'as UserInfo';
    my $list = $roster->get('/users/?order_by=email&direction=asc', $admin)->{json}{users};
    is_deeply [grep { join(' ', sort keys %$_) ne join(' ', sort 'group_ids', @user_keys) } @$list], [],
        'rows of the list have all keys';
    my @first = (sort { $a->{email} cmp $b->{email} } @people)[0 .. 29];
    is_deeply [map { $_->{group_ids} } @$list], [
        map {
            my $id = $_->{id};
            [grep { $member{$_}{$id} } @group{qw(Beta Alpha)}]
        } @first
        ],
        'and the ids of their groups, last updated first';
}

# ---- A fixed number of statements ----

for my $case (
    ['/users/?query=odd.example', '/users/?query=thirty.example', $admin],
    ['/users/search?query=odd.example', '/users/search?query=thirty.example', $caller],
    ['/users/?order_by=name&query=odd.example', '/users/?order_by=name&query=thirty.example', $admin],
    [
        "/users/?order_by=group_id:$group{Alpha}&query=odd.example",
        "/users/?order_by=group_id:$group{Alpha}&query=thirty.example",
        $admin
    ])
{
    my ($few, $many, $who) = @$case;
    is scalar(@{$roster->get($few, $who)->{json}{users}}), 3, "$few: 3 rows";
    is scalar(@{$roster->get($many, $who)->{json}{users}}), 30, "$many: 30 rows";
    my $statements = least_statements($few, $who);
    is least_statements($many, $who), $statements, "$many: as many statements";
    cmp_ok $statements, '<=', 3, 'at most 3';
    cmp_ok $statements, '>=', 1, 'and they are counted';
}
cmp_ok least_statements('/users/all', $admin), '<=', 3, '/users/all: at most 3 statements for 37 rows';
{
    my $few = $roster->add_user(
        last_active_at => $now,
        email => 'few@groups.example',
        name => 'Few',
        created_at => $now - 9,
        updated_at => $now);
    my $many = $roster->add_user(
        last_active_at => $now,
        email => 'many@groups.example',
        name => 'Many',
        created_at => $now - 9,
        updated_at => $now);
    for my $index (1 .. 30) {
        $roster->sql(
            'INSERT INTO `group` (id, user_id, name, permissions, created_at, updated_at) VALUES (?, ?, ?, ?, 1, 1)',
            "many$index", $admin->{id}, "Many $index", '{"features": {"x' . $index . '": true}}');
        for my $user ($index <= 3 ? $few : (), $many) {
            $roster->sql('INSERT INTO group_member (id, group_id, user_id) VALUES (?, ?, ?)',
                "$user->{id}$index", "many$index", $user->{id});
            $roster->sql(
                'INSERT INTO oauth_session (id, user_id, provider, token, expires_at, created_at, '
                    . 'updated_at) VALUES (?, ?, ?, ?, 1, 1, 1)',
                "$user->{id}$index", $user->{id}, 'google', 'token');
        }
    }
    for my $path ('/users/groups', '/users/permissions', '/users/user/status', '/users/user/settings',
        '/users/user/info')
    {
        my $statements = least_statements($path, $few);
        cmp_ok least_statements($path, $many), '<=', $statements + 1,
            "$path: one statement more at most with 30 groups than with 3";
        cmp_ok $statements, '<=', 3, 'at most 3';
    }
    for my $path ('', '/groups', '/oauth/sessions', '/active') {
        my $statements = least_statements("/users/$few->{id}$path", $admin);
        cmp_ok least_statements("/users/$many->{id}$path", $admin), '<=', $statements + 1,
            "/users/{user_id}$path: one statement more at most with 30 than with 3";
        cmp_ok $statements, '<=', 3, 'at most 3';
    }
    is scalar(@{$roster->get('/users/groups', $many)->{json}}), 30, 'there were 30 groups';
    is scalar(@{$roster->get("/users/$many->{id}/oauth/sessions", $admin)->{json}}), 30, 'and 30 sessions';
    is scalar(grep { /^x\d+$/ } keys %{$roster->get('/users/permissions', $many)->{json}{features}}), 30,
        'and 30 permissions';
    is_deeply [map { $_->{id} } @{$roster->get('/users/groups', $few)->{json}}], [sort map { "many$_" } 1 .. 3],
        'groups that were updated in the same second come by id';
    $roster->sql('DELETE FROM user WHERE email LIKE ?', '%@groups.example');
    $roster->sql('DELETE FROM `group` WHERE id LIKE ?', 'many%');
}

# ---- Groups ----

{
    my $both = $people[0];
    my $shape = sub ($name) {
        return {
            id => $group{$name},
            user_id => $admin->{id},
            name => $name,
            description => "The $name",
            data => undef,
            meta => undef,
            permissions => undef,
            created_at => 500,
            updated_at => $name eq 'Beta' ? 2000 : 1000
        };
    };
    is_json $roster->get('/users/groups', $both), [map { $shape->($_) } qw(Beta Alpha)],
        "the caller's groups, last updated first";
    is_json $roster->get("/users/$both->{id}/groups", $admin), [map { $shape->($_) } qw(Beta Alpha)], "those of a user";
    is_json $roster->get("/users/$both->{id}", $caller),
        user($both, groups => [map { +{id => $group{$_}, name => $_} } qw(Beta Alpha)], is_active => $true),
        'and their names, with the user';
    $roster->sql(
        'UPDATE `group` SET updated_at = 3000, data = ?, meta = ?, permissions = ? WHERE name = ?',
        '{"config": {"share": false}}',
        '{"a": [1, "ü"]}',
        '{"chat": {"edit": false}}', 'Alpha');
    my $changed = {
        %{$shape->('Alpha')},
        updated_at => 3000,
        data => {config => {share => $false}},
        meta => {a => [1, 'ü']},
        permissions => {chat => {edit => $false}}
    };
    is_json $roster->get('/users/groups', $both), [$changed, $shape->('Beta')], 'a change brings a group to the front';
    is_deeply [map { $_->{id} } @{$roster->get("/users/$both->{id}", $admin)->{json}{groups}}],
        [@group{qw(Alpha Beta)}],
        'there too';
    is_json $roster->get('/users/groups', $people[1]), [], 'somebody without groups has none';
    is_json $roster->get('/users/nobody/groups', $admin), [], 'nor has somebody unknown';
}

# ---- Permissions ----

my $fresh = {
    workspace => {
        map { ($_ => $false) }
            qw(
            models knowledge prompts tools models_import models_export prompts_import prompts_export
            tools_import tools_export
            )
    },
    sharing => {
        map { ($_ => $false) }
            qw(
            models public_models knowledge public_knowledge prompts public_prompts tools public_tools notes
            public_notes
            )
    },
    chat => {
        (
            map { ($_ => $true) }
                qw(controls valves system_prompt params file_upload delete delete_message continue_response
                regenerate_response rate_response edit share export stt tts call multiple_models temporary)
        ),
        temporary_enforced => $false
    },
    features => {
        api_keys => $false,
        direct_tool_servers => $false,
        map { ($_ => $true) } qw(notes channels folders web_search image_generation code_interpreter)
    },
};

sub permissions ($changes) {
    my $copy = $coder->decode($coder->encode($fresh));
    for my $section (keys %$changes) {
        $copy->{$section}{$_} = $changes->{$section}{$_} for keys %{$changes->{$section}};
    }
    return $copy;
}
{
    my $nobody = $people[1];
    my ($one) =
        grep { my $id = $_->{id}; $_->{role} eq 'user' && $member{$group{Alpha}}{$id} && !$member{$group{Beta}}{$id} }
        @people;
    is_json $roster->get('/users/default/permissions', $admin), $fresh, 'the defaults of a fresh install';
    is_json $roster->get('/users/permissions', $nobody), $fresh, 'somebody without groups has just these';
    is_json $roster->get('/users/permissions', $people[0]), $fresh, "a group's false takes nothing away";
    $roster->sql(
        'UPDATE `group` SET permissions = ? WHERE name = ?',
        '{"workspace": {"models": true, "tools": false}, "features": {"api_keys": true, "own": false, '
            . '"deep": {"a": true, "b": false}}, "mine": {"x": true}}',
        'Alpha');
    $roster->sql('UPDATE `group` SET permissions = ? WHERE name = ?',
        '{"workspace": {"models": false, "tools": true}, "features": {"own": true, "deep": {"b": true, "c": false}}}',
        'Beta');
    my $both = permissions({
        workspace => {models => $true, tools => $true},
        features => {api_keys => $true, own => $true, deep => {a => $true, b => $true, c => $false}},
        mine => {x => $true}
    });
    is_json $roster->get('/users/permissions', $people[0]), $both,
        'true wins, objects are combined key by key, further keys appear';
    my $alpha = permissions({
        workspace => {models => $true},
        features => {api_keys => $true, own => $false, deep => {a => $true, b => $false}},
        mine => {x => $true}
    });
    is_json $roster->get('/users/permissions', $one), $alpha, 'somebody in one group has its own';
    is_json $roster->get('/users/permissions', $nobody), $fresh, 'somebody in none still has the defaults';

    # What may stand in rows that were moved over.
    $roster->sql('UPDATE `group` SET permissions = ? WHERE name = ?',
        '{"workspace": true, "chat": {"edit": null, "share": {"x": true}, "stt": "no", "call": 0}, "features": []}',
        'Alpha');
    is_json $roster->get('/users/permissions', $one), $fresh, 'what makes no sense in a group counts for nothing';
    my $session = $roster->get('/auths/', $one);
    is $session->{status}, 200, 'and keeps nobody out';
    $roster->sql('UPDATE `group` SET permissions = NULL');

    # Defaults that were stored by an older release lack keys.
    $roster->sql(
        'INSERT INTO config (data) VALUES (?)',
        '{"user": {"permissions": {"workspace": {"models": true}, "chat": {"edit": false}, "features": '
            . '{"odd": true}, "other": {"x": true}}}}');
    my $stored = permissions({
        workspace => {models => $true},
        sharing => {public_tools => $true, public_notes => $true},
        chat => {edit => $false}
    });
    is_json $roster->get('/users/default/permissions', $admin), $stored,
        'stored defaults are filled as the input is, and show the known keys alone';
    is_json $roster->get('/users/permissions', $nobody),
        permissions(
        {workspace => {models => $true}, chat => {edit => $false}, features => {odd => $true}, other => {x => $true}}),
        "a user's are filled as in a fresh install";
    $roster->sql('DELETE FROM config');
}

# ---- Settings, info ----

{
    my $deep = '{"a":' x 60 . '1' . '}' x 60;
    my %stored = (
        info => '{"a": 9007199254740993, "b": 1.50, "c": "\u00fc\u2028", "c2": {}, "d": [[], null]}',
        settings => '{"ui": {"x": [1, 2.50]}, "z": 1, "a": null}');
    for my $name (qw(settings info)) {
        is_json $roster->get("/users/user/$name", $caller), undef, "$name that were never stored are null";
        $roster->sql("UPDATE user SET $name = ? WHERE id = ?", $stored{$name}, $caller->{id});
        is_json $roster->get("/users/user/$name", $caller), $coder->decode($stored{$name}),
            "$name come as they are stored";
        $roster->sql("UPDATE user SET $name = ? WHERE id = ?", '{}', $caller->{id});
        is_json $roster->get("/users/user/$name", $caller), $name eq 'info' ? {} : {ui => {}},
            'also where there is nothing in them' . ($name eq 'settings' ? ', but for ui' : '');
        $roster->sql("UPDATE user SET $name = ? WHERE id = ?", $deep, $caller->{id});
        is $roster->get("/users/user/$name", $caller)->{json}{a}{a}{a}{a} ? 1 : 0, 1, 'and deep ones';
        $roster->sql("UPDATE user SET $name = NULL WHERE id = ?", $caller->{id});
    }
}

# ---- OAuth sessions ----

{
    my @rows =
        map { [
        "session$_", $full->{id}, $_ % 2 ? 'google' : 'oidc', "secret-token-number-$_", $now + $_, 1000 - $_, 2000 + $_
        ] } 1 .. 3;
    $roster->sql(
        'INSERT INTO oauth_session (id, user_id, provider, token, expires_at, created_at, updated_at) '
            . 'VALUES (?, ?, ?, ?, ?, ?, ?)',
        @$_
    ) for @rows;
    my $answer = $roster->get("/users/$full->{id}/oauth/sessions", $admin);
    is_json $answer,
        [
        map { my %row; @row{qw(id user_id provider expires_at created_at updated_at)} = @$_[0 .. 2, 4 .. 6]; \%row }
            reverse @rows
        ],
        'OAuth sessions, without tokens';
    is_problem $roster->get("/users/$caller->{id}/oauth/sessions", $admin), 400, 'USER_NOT_FOUND', 'a user without any';
    is_problem $roster->get('/users/nobody/oauth/sessions', $admin), 400, 'USER_NOT_FOUND', 'nobody';
}

# ---- Chats that stand for their owners ----

{
    my $owner = $full;
    for my $row (
        ['shared', $owner->{id}, 'copy'],
        ['secret', $owner->{id}, undef],
        ['copy', 'shared-shared', undef],
        ['mine', $caller->{id}, undef],
        ['empty', $owner->{id}, ''])
    {
        $roster->sql(
            'INSERT INTO chat (id, user_id, title, share_id, created_at, updated_at) VALUES (?, ?, ?, ?, 1, 1)',
            $row->[0], $row->[1], 'A chat', $row->[2]);
    }
    my %who = (owner => $owner, other => $caller, admin => $admin);
    # chat => caller => whose id comes out
    my %wanted = (
        shared => {owner => $owner, other => $owner, admin => $owner},
        secret => {owner => $owner, other => undef, admin => $owner},
        mine => {owner => undef, other => $caller, admin => $caller},
        unknown => {owner => undef, other => undef, admin => undef},
        copy => {owner => undef, other => undef, admin => undef},
        '' => {owner => undef, other => undef, admin => undef});
    for my $chat (sort keys %wanted) {
        for my $name (sort keys %who) {
            my $answer = $roster->get("/users/shared-$chat", $who{$name});
            my $user = $wanted{$chat}{$name};
            if ($user) {
                is $answer->{json}{id}, $user->{id}, "shared-$chat is a user to the $name";
                is_deeply $answer->{json}, $roster->get("/users/$user->{id}", $who{$name})->{json}, 'just as by the id';
                is defined $answer->{json}{info} ? 1 : 0, $name ne 'other' && $user == $owner ? 1 : 0,
                    'with what may be seen';
            }
            else {
                is_problem $answer, 400, 'USER_NOT_FOUND', "shared-$chat is nobody to the $name";
            }
        }
    }
    is_json $roster->get('/users/shared-shared/active', $caller), {active => $false}, 'only at one endpoint';
    is_problem $roster->get('/users/shared-shared/profile/image', $caller), 400, 'USER_NOT_FOUND',
        'a picture is not found so';
    $roster->sql('DELETE FROM chat');
}

# ---- Who is active ----

for my $case ([0, $true], [60, $true], [179, $true], [180, $true], [181, $false], [86400, $false], [-30, $true]) {
    my ($ago, $active) = @$case;
    my ($start, $user, $short);
    for (1 .. 20) {    # within one second
        $start = time;
        $roster->sql('UPDATE user SET last_active_at = ? WHERE id = ?', $start - $ago, $bare->{id});
        $user = $roster->get("/users/$bare->{id}", $caller);
        $short = $roster->get("/users/$bare->{id}/active", $caller);
        last if time == $start;
    }
    is $coder->encode($user->{json}{is_active}), $coder->encode($active), "last active $ago s ago: is_active";
    is_json $short, {active => $active}, 'and active';
}
is_json $roster->get('/users/nobody/active', $caller), {active => $false}, 'somebody unknown is not active';

# ---- Addresses and methods ----

# DELETE /users/all deletes the user whose id is `all`.
my %paths = (
    '/users' => ['GET', $admin],
    '/users/all' => ['GET DELETE', $admin],
    '/users/search' => ['GET DELETE', $caller],
    '/users/groups' => ['GET DELETE', $caller],
    '/users/permissions' => ['GET DELETE', $caller],
    '/users/default/permissions' => ['GET POST', $admin],
    '/users/user/settings' => ['GET', $caller],
    '/users/user/settings/update' => ['POST'],
    '/users/user/status' => ['GET', $caller],
    '/users/user/status/update' => ['POST'],
    '/users/user/info' => ['GET', $caller],
    '/users/user/info/update' => ['POST'],
    "/users/$full->{id}" => ['GET DELETE', $caller],
    "/users/$full->{id}/oauth/sessions" => ['GET', $admin],
    "/users/$full->{id}/profile/image" => ['GET', $caller],
    "/users/$full->{id}/active" => ['GET', $caller],
    "/users/$full->{id}/update" => ['POST'],
    "/users/$full->{id}/groups" => ['GET', $admin]);
for my $path (sort keys %paths) {
    my ($methods, $who) = @{$paths{$path}};
    my @allow = sort map({ $_ eq 'GET' ? qw(GET HEAD) : $_ } split ' ', $methods), 'OPTIONS';
    for my $prefix ('', '/api/v1') {
        my $options = $roster->request(OPTIONS => $prefix . $path);
        is $options->{status}, 204, "OPTIONS $prefix$path";
        is_deeply [sort split /, /, $options->{headers}{allow} // ''], \@allow, 'says what is allowed';
        is $options->{body}, '', 'and nothing else';
        for my $method (
            grep {
                my $m = $_;
                !grep { $_ eq $m } @allow
            } qw(GET POST DELETE PUT PATCH))
        {
            my $answer = $roster->ask($method => $prefix . $path, $admin, body => '');
            is_problem $answer, 405, 'METHOD_NOT_ALLOWED', "$method $prefix$path is not allowed";
            is_deeply [sort split /, /, $answer->{headers}{allow} // ''], \@allow, 'and it says what is';
        }
    }
    next if !$who;
    my $answer = $roster->get($path, $who);
    cmp_ok $answer->{status}, '<', 303, "GET $path" or diag $answer->{body};
    if ($answer->{status} == 200) {
        is $answer->{headers}{'content-type'}, 'application/json', 'is JSON';
        is $answer->{headers}{'cache-control'}, 'no-store', 'that nobody keeps';
        is $answer->{headers}{'x-process-time'}, undef, 'and says nothing of the time it took';
    }
    for my $other ("/api/v1$path", "$path/", "/api/v1$path/", "$path//", "$path?", "/api/v1$path//?") {
        my $same = $roster->get($other, $who);
        is "$same->{status} $same->{body}", "$answer->{status} $answer->{body}", "$other is the same";
        my $head = $roster->ask(HEAD => $other, $who);
        is_deeply [@$head{qw(status body)}, @{$head->{headers}}{qw(content-type content-length location)}],
            [$answer->{status}, '', @{$answer->{headers}}{qw(content-type content-length location)}],
            "HEAD $other tells the same";
    }
}
is $roster->ask(HEAD => '/users/nobody', $caller)->{status}, 400, 'HEAD of an error has its status';
is_problem $roster->get($_, $admin), 404, 'PATH_NOT_FOUND', "$_ is no path"
    for '/user', '/users/a/b', '/users/a/b/c', '/userss', '/api/v1', '/api/v2/users', '/api/users', '/API/v1/users',
    '/Users', '/api/v1/api/v1/users', '/users/default/permissions/x',
    "/users/$full->{id}/oauth", "/users/$full->{id}/profile", '/users/user/settings/x', '/users/..', '/users/%2e%2e',
    '/users/a%2fb', '/users//all', '/users/%FF';
is_json $roster->get('/users/all?page=abc&x=%FF', $admin), $roster->get('/users/all', $admin)->{json},
    'where there is no query it is not looked at';
is_json $roster->get('/users/user/info', $caller, headers => ['Content-Type' => 'application/json']),
    undef, 'a Content-Type without a body does not matter';
is_json $roster->get('/users/user/info', $caller, json => {a => 1}), undef, 'nor does a body where none belongs';
is_json $roster->request(GET => '/users/user/info', cookie => $caller->{token}), undef,
    'the cookie does as well as the header';

# ---- Privacy as in the original ----

$roster->{options}{config}{privacy} = 'compatible';
$roster->restart('roster');
is_json $roster->get("/users/$full->{id}", $caller), user($full, %full, %json, groups => [], is_active => $false),
    'privacy = compatible: everybody signed in sees all of it';
is_json $roster->get("/users/$full->{id}", $admin), user($full, %full, %json, groups => [], is_active => $false),
    'administrators too';
is join(' ', sort keys %{$roster->get('/users/search?query=fullone', $caller)->{json}{users}[0]}), "@info_keys",
    'a search is still short';

done_testing;
