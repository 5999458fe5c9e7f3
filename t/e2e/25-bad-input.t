# Bad input of every kind: each gets an answer of 4xx that names the fault in our form, nothing hangs, and the workers
# that are there at the end are those of the beginning. Faults of single fields: 23-validation.t.
use v5.36;

use Socket qw(SOL_SOCKET SO_LINGER);
use Test::More;
use Roster;
use Roster::Tables;
use Time::HiRes ();

my $roster = Roster->new(config => {document_size_limit => '4m', rate_limits => 'no', last_active_interval => '1d'});
my $admin = $roster->add_user(role => 'admin', last_active_at => time);
my $user = $roster->add_user(last_active_at => time);
my @workers = $roster->workers;
my @json = ('Content-Type', 'application/json');

# Every request that takes a body, with a path that reaches the handler.
my @routes = map { {
    name => $_->{name},
    method => $_->{method},
    path => $_->{path} =~ s/\{user_id\}/$user->{id}/r =~ s/\{\w+\}/nothing/r,
    token => $_->{who} eq 'ANYONE' ? undef : $admin->{token}
} } grep { $_->{body} ne 'NONE' } Roster::Tables::records('tables/routes.def', 'ROUTE');
cmp_ok scalar(@routes), '>', 15, 'routes with a body were found';

sub submit ($route, $body, %options) {
    return $roster->ask(
        $route->{method} => $route->{path},
        $route->{token},
        headers => \@json,
        body => $body,
        %options);
}

# The first fault of a 422, as "type loc"; else "status code".
sub fault ($answer) {
    return in_short($answer) if !$answer || $answer->{status} != 422;
    my $json = $answer->{json};
    return "no 422 in our form: $answer->{body}"
        if ref $json ne 'HASH' || $json->{code} ne 'VALIDATION_ERROR' || ref $json->{detail} ne 'ARRAY';
    my $first = $json->{detail}[0];
    return join ' ', $first->{type}, @{$first->{loc}};
}

# A connection that sends this much and then never again: what nginx makes of it is looked at in the end.
my $stuck_since = time;
my @stuck = map {
    my $socket = $roster->open_connection;
    syswrite $socket, $_;
    $socket;
    } "GET /users/ HT", "GET /users/ HTTP/1.1\r\nHost: a\r\n",
    map { "POST $_ HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{" }
    ('/auths/signin', '/users/user/info/update') x 10;

# ---- Bodies ----

my %bodies = (
    'no body' => [undef, 'missing body'],
    'an empty body' => ['', 'missing body'],
    'null' => ['null', 'missing body'],
    'white space' => ["  \n ", 'json_invalid body 4'],
    'half an object' => ['{"name": "x"', 'json_invalid body 12'],
    'rubbish' => ['rubbish', 'json_invalid body 0'],
    'a form' => ['name=x&email=y', 'json_invalid body 0'],
    'something behind the object' => ['{} x', 'json_invalid body 3'],
    'single quotes' => ["{'name': 'x'}", 'json_invalid body 1'],
    'a comma too many' => ['{"name": "x",}', qr/^json_invalid body 1[23]$/],
    'a comment' => ['{/* x */}', 'json_invalid body 1'],
    'a control character in a text' => [qq({"name": "a\x01b"}), 'json_invalid body 11'],
    'a NUL byte' => [qq({"name": "a"}\0), 'json_invalid body 13'],
    'NaN' => ['{"name": NaN}', 'json_invalid body 9'],
    'invalid UTF-8' => [qq({"name": "\xff\xfe"}), '400 BODY_PARSE_ERROR'],
    'overlong UTF-8' => [qq({"name": "\xc0\xaf"}), '400 BODY_PARSE_ERROR'],
    'half a character' => [qq({"name": "\xe2\x82"}), '400 BODY_PARSE_ERROR'],
    'UTF-16' => [qq(\xff\xfe{\0}\0), '400 BODY_PARSE_ERROR'],
    'gzip' => ["\x1f\x8b\x08\0\0\0\0\0\0\x03\xab\xae\x05\0\x43\xbf\xa6\xa3", '400 BODY_PARSE_ERROR'],
    '10,000 lists' => ['[' x 10_000 . ']' x 10_000, '400 BODY_PARSE_ERROR'],
    '10,000 objects' => ['{"a":' x 10_000 . '1' . '}' x 10_000, '400 BODY_PARSE_ERROR'],
    '10,000 lists that do not end' => ['[' x 10_000, '400 BODY_PARSE_ERROR'],
    '65 levels' => ['{"a":' . '[' x 64 . ']' x 64 . '}', '400 BODY_PARSE_ERROR'],
    'an integer of 400 digits' => ['{"a": ' . 9 x 400 . '}', '400 BODY_PARSE_ERROR'],
    'more than the limit' => ['{"a": "' . 'x' x 4_300_000 . '"}', '413 CONTENT_TOO_LARGE'],
    'a list' => ['[{"name": "x"}]', qr/^(?:model_attributes|dict)_type body$/],
    'a text' => ['"x"', qr/^(?:model_attributes|dict)_type body$/],
    'a number' => ['5', qr/^(?:model_attributes|dict)_type body$/],
    'true' => ['true', qr/^(?:model_attributes|dict)_type body$/]);
for my $route (@routes) {
    subtest "$route->{method} $route->{path}" => sub {
        for my $name (sort keys %bodies) {
            my ($body, $expected) = @{$bodies{$name}};
            my $fault = fault(submit($route, $body));
            if (ref $expected) { like $fault, $expected, $name }
            else { is $fault, $expected, $name }
        }
        for my $type (
            'application/x-www-form-urlencoded', 'text/plain',
            'multipart/form-data; boundary=x', 'application/jsonx',
            'x', 'text/json')
        {
            like fault(submit($route, '{"name": "x"}', headers => ['Content-Type', $type])),
                qr/^(?:model_attributes|dict)_type body$/, "Content-Type $type";
        }
        unlike fault(submit($route, '{"name": 5, "x": 1', headers => ['Content-Type', $_])), qr/_type body$/,
            "Content-Type '$_' is JSON"
            for 'application/json; charset=utf-8', 'APPLICATION/JSON', 'application/scim+json', '';
    };
}

my ($info, $sign_in) = map {
    my $name = $_;
    grep { $_->{name} eq $name } @routes
} qw(info_update sign_in);
subtest 'what is large' => sub {
    is fault(submit($info, '{' . ' ' x 10_000_000 . '}')), '413 CONTENT_TOO_LARGE', '10 MB';
    is fault(submit($info, '{' . ' ' x 10_000_000 . '}', chunked => 65536)), '413 CONTENT_TOO_LARGE', '10 MB in chunks';
    is fault(submit($sign_in, '{' . ' ' x 10_000_000 . '}')), '413 CONTENT_TOO_LARGE', '10 MB at the other pool';
    is fault(
        $roster->raw("POST /users/user/info/update HTTP/1.1\r\nHost: a\r\nContent-Length: 99999999999999\r\n\r\n{")),
        '413 CONTENT_TOO_LARGE', 'a length of 100 TB';
    for my $case (['objects', '{},'], ['lists', '[],'], ['numbers', '1,'], ['texts', '"",'],
        ['lists of objects', '[{}],'])
    {
        my ($name, $element) = @$case;
        my $body = '{"a":[' . $element x (4_000_000 / length $element) . '0]}';
        my $answer = submit($sign_in, $body);
        like fault($answer), qr/^(?:413 CONTENT_TOO_LARGE|missing body email)$/, "4 MB of $name, of somebody unknown";
    }
    my $members = '{' . join(',', map { qq("key$_":{"a":[]}) } 1 .. 60_000) . '}';
    is fault(submit($sign_in, $members)), '413 CONTENT_TOO_LARGE', '60,000 members that are objects';
    for my $pid (@workers) {
        my ($kilobytes) = Roster::Database::slurp("/proc/$pid/status") =~ /^VmHWM:\s+(\d+)/m;
        cmp_ok $kilobytes, '<', 500_000, "worker $pid took no more than 500 MB for that"
            if !$ENV{ROSTER_TEST_VALGRIND} && !$ENV{ASAN_OPTIONS};
    }
    my $text = 'x' x 3_900_000;
    my $answer = submit($info, qq({"text": "$text"}));
    is $answer->{status}, 200, 'a text of 3.9 MB is taken' or diag substr $answer->{body}, 0, 200;
    is length($answer->{json}{text} // ''), length $text, 'whole';
    is fault(submit($info, qq({"more": "$text"}))), '413 CONTENT_TOO_LARGE', 'but not a second one beside it';
    is fault($roster->get('/users/user/info', $admin)), '200', 'the first one is still there';
    is submit($info, '{"text": 1}')->{status}, 200, 'and can be replaced';
    is fault(submit($sign_in, JSON::PP->new->encode({email => 'nobody@example.org', password => $text}))),
        '400 INVALID_CRED', 'a password of 3.9 MB';
    $roster->no_secret($text);
    is fault(submit($sign_in, JSON::PP->new->encode({email => $text, password => 'a long password'}))),
        '400 INVALID_CRED', 'an email address of 3.9 MB';
    is submit($info, '{' . join(',', map { qq("key$_":$_) } 1 .. 100_000) . '}')->{status}, 200, '100,000 members';
    $roster->sql('UPDATE user SET info = NULL');
};

subtest 'bodies where none is expected' => sub {
    is fault($roster->get('/users/user/status', $user, headers => \@json, body => '{"x"')), '200', 'GET';
    is fault($roster->get('/users/user/status', $user, headers => \@json)), '200',
        'GET with a JSON Content-Type and no body';
    is fault($roster->ask(DELETE => '/auths/api_key', $user, body => "\xff" x 100_000)), '200', 'DELETE';
    is fault($roster->get('/users/user/status', $user, body => 'x' x 5_000_000)),
        '413 CONTENT_TOO_LARGE', 'GET with 5 MB';
    is fault($roster->request(POST => '/nothing', headers => \@json, body => 'x' x 3_000_000)), '404 PATH_NOT_FOUND',
        '3 MB to nowhere';
};

# ---- Bodies that end early, at a worker ----

subtest 'lengths that are not true' => sub {
    my $send = sub ($pool, $path, $length, $body) {
        my $token = $pool eq 'api' ? $user->{token} : '';
        return $roster->fastcgi(
            $pool,
            {
                REQUEST_METHOD => 'POST',
                REQUEST_URI => $path,
                CONTENT_LENGTH => $length,
                CONTENT_TYPE => 'application/json',
                $token ? (HTTP_AUTHORIZATION => "Bearer $token") : ()
            },
            $body);
    };
    for my $case (['api', '/users/user/info/update'], ['password', '/auths/signin']) {
        my ($pool, $path) = @$case;
        is fault($send->($pool, $path, 100, '{"half')), '400 BODY_INCOMPLETE', "$path: half a body";
        is fault($send->($pool, $path, 100, '')), '400 BODY_INCOMPLETE', "$path: nothing of a body";
        is fault($send->($pool, $path, 5_000_000, '{}')), '413 CONTENT_TOO_LARGE', "$path: a length above the limit";
        is fault($send->($pool, $path, '', '{"a":"' . 'x' x 5_000_000 . '"}')), '413 CONTENT_TOO_LARGE',
            "$path: no length, and too much";
        is fault($send->($pool, $path, '', '[')), 'json_invalid body 1', "$path: no length";
        is fault($send->($pool, $path, '99999999999999999999', '[')), 'json_invalid body 1',
            "$path: a length beyond 64 bits";
        is fault($send->($pool, $path, '-5', '[')), 'json_invalid body 1', "$path: a negative length";
        is fault($send->($pool, $path, 'x', '[')), 'json_invalid body 1', "$path: a length that is no number";
        is fault($send->($pool, $path, 1, '[1]')), 'json_invalid body 1',
            "$path: more than the length: the rest is not looked at";
        is fault($send->($pool, $path, 2, '{}' . 'x' x 3_000_000)), $pool eq 'api' ? '200' : 'missing body email',
            "$path: much more than the length";
    }
    is fault($roster->fastcgi('api', {REQUEST_URI => '/users/', map { ("HTTP_X_$_" => 'x') } 1 .. 101})),
        '431 HEADER_FIELDS_TOO_LARGE', '101 header fields';
    is fault($roster->fastcgi('api', {REQUEST_URI => '/users/', map { ("HTTP_X_$_" => 'x') } 1 .. 90})),
        '401 NOT_AUTHENTICATED', '90 header fields';
    is fault($roster->fastcgi('api', {REQUEST_URI => '/users/', HTTP_X_LARGE => 'x' x 1_000_000})),
        '401 NOT_AUTHENTICATED', 'a header field of 1 MB';
    for my $target ('', 'x', '?', '//', '/?', '*', "/\x01", "/\xff", '/%', '/%0', '/users/%00', 'http://a/users/') {
        my $name = $target =~ s/([^ -~])/sprintf '\x%02x', ord $1/ger;
        is fault($roster->fastcgi('api', {REQUEST_URI => $target})) =~
            s/^(?:404 PATH_NOT_FOUND|401 NOT_AUTHENTICATED)$/fine/r, 'fine', "target '$name'";
    }
    is fault($roster->fastcgi('api', {REQUEST_URI => undef})), '404 PATH_NOT_FOUND', 'no target';
    is fault($roster->fastcgi('api', {REQUEST_METHOD => $_, REQUEST_URI => '/users/'})), '405 METHOD_NOT_ALLOWED',
        "method '$_'"
        for '', 'x', 'get', 'PUT', "G\xffT", 'x' x 100_000;
    is fault($roster->fastcgi('api', {REQUEST_METHOD => undef, REQUEST_URI => '/users/'})), '405 METHOD_NOT_ALLOWED',
        'no method';
};

# ---- Paths and queries ----

subtest 'paths' => sub {
    my @cases = (
        ['/users/..%2f..%2fetc/passwd', 'BAD_REQUEST'],
        ['/users/%2e%2e/%2e%2e/%2e%2e/etc', 'BAD_REQUEST'],
        ['/users/..%2f', 'PATH_NOT_FOUND'],
        ['/users/..%2f..', 'BAD_REQUEST'],
        ['/users/x..%2f', 'PATH_NOT_FOUND'],
        ['/users/%00', 'BAD_REQUEST'],
        ['/users/x%00y', 'BAD_REQUEST'],
        ['/users/%', 'BAD_REQUEST'],
        ['/users/%zz', 'BAD_REQUEST'],
        ['/users/%2', 'BAD_REQUEST'],
        ['/users/%c0%af', 'PATH_NOT_FOUND'],
        ['/users/%ff%fe', 'PATH_NOT_FOUND'],
        ['/users/%ed%a0%80', 'PATH_NOT_FOUND'],
        ["/users/\xff", 'PATH_NOT_FOUND'],
        ['/users/a%2fb', 'PATH_NOT_FOUND'],
        ['/users/%2e', 'PATH_NOT_FOUND'],
        ['/users/%2e%2e', 'PATH_NOT_FOUND'],
        ['/users/..', 'PATH_NOT_FOUND'],
        ['/users/./all', 'PATH_NOT_FOUND'],
        ['/users//all', 'PATH_NOT_FOUND'],
        ['/users/x/../all', 'PATH_NOT_FOUND'],
        ['/api/v2/users/', 'PATH_NOT_FOUND'],
        ['/api/v1/api/v1/users/', 'PATH_NOT_FOUND'],
        ['/users/%0d%0aX-Field:%20x', 'USER_NOT_FOUND'],
        ["/users/'%20OR%20''='", 'USER_NOT_FOUND'],
        ['/users/%25s%25n', 'USER_NOT_FOUND'],
        ['/users/' . 'x' x 7000, 'USER_NOT_FOUND'],
        ['/users/' . '%c3%a9' x 1000, 'USER_NOT_FOUND'],
        ['/users/shared-' . 'x' x 7000, 'USER_NOT_FOUND'],
        ['/users/shared-', 'USER_NOT_FOUND'],
        ['/users/shared-%ff', 'PATH_NOT_FOUND'],
        ['/users' . '/x' x 3000, 'PATH_NOT_FOUND'],
        ['/users/' . 'x' x 20_000, 'URI_TOO_LONG'],
        ['/%75sers/..;/', 'USER_NOT_FOUND'],
        ['/groups/id/%ff', 'PATH_NOT_FOUND'],
        ['/groups/id/' . 'x' x 7000, 'NOT_FOUND'],
        ['/groups/id/..%2f..%2f..', 'BAD_REQUEST'],
        ['/auths/api_keys/%ff%00', 'BAD_REQUEST'],
        ['/auths/api_keys/%ff', 'PATH_NOT_FOUND'],
        ['/users/%ff/groups', 'PATH_NOT_FOUND'],
        ['/users/%ff/active', 'PATH_NOT_FOUND'],
        ['/users/%ff/oauth/sessions', 'PATH_NOT_FOUND'],
        ['/users/%ff/profile/image', 'PATH_NOT_FOUND'],
        ['/pictures/..%2f..%2fsecret.key', 'BAD_REQUEST'],
        ['/pictures/%ff', 'PATH_NOT_FOUND'],
        ['/pictures/x', 'NOT_FOUND'],
        ['/pictures/' . 'a' x 64 . '.png', 'NOT_FOUND'],
        ['users/', 'BAD_REQUEST'],
        ['*', 'BAD_REQUEST'],
        ['/users/ HTTP/1.1 x', 'BAD_REQUEST']);
    for my $case (@cases) {
        my ($path, $code) = @$case;
        my $name = (length $path > 60 ? substr($path, 0, 60) . '…' : $path) =~ s/([^ -~])/sprintf '\x%02x', ord $1/ger;
        my $answer = $roster->get($path, $admin);
        is $answer->{status} < 500 && ref $answer->{json} eq 'HASH' ? $answer->{json}{code}
            : $answer->{status} < 400 ? ''
            : "$answer->{status}: $answer->{body}", $code, "GET $name";
    }
    is fault($roster->ask(DELETE => "/auths/sessions/$_", $user)), '404 NOT_FOUND', "DELETE /auths/sessions/$_"
        for 'x', 'x' x 5000, '%25';
    is fault($roster->ask(DELETE => "/users/$_", $admin)), '400 USER_NOT_FOUND', 'DELETE of a strange id'
        for '%27', 'x' x 5000, '%f0%9f%98%80';
    is fault($roster->get('http://elsewhere.example.org/users/all', $admin)), '200', 'the absolute form is taken';
};

subtest 'queries' => sub {
    my $ask = sub ($query) { return fault($roster->get("/users/?$query", $admin)) };
    is $ask->($_), '200', length $_ > 40 ? substr($_, 0, 40) . '…' : "?$_"
        for '', '&&&&', '=', '=x', 'x', '&' x 7000, join('&', map { "x$_=y" } 1 .. 900), 'query=' . 'x' x 15_000,
        'query=' . '%25' x 2000, 'query=%', 'query=%zz', 'query=%2', 'page=1&page=2',
        'page=x&page=2', 'query=' . '%f0%9f%98%80' x 500, "query='%20OR%201=1--", 'order_by=' . 'x' x 5000,
        'order_by=group_id:', 'order_by=group_id:%27', 'direction=x',
        'page=-99999999999', 'page=9223372036854775807', 'page=+5', 'page=%205%20', 'page[]=1', 'Page=x',
        'query=%5c%25%5f';
    is $ask->('query=' . 'x' x 17_000), '414 URI_TOO_LONG', 'a query of 17 KB';
    is $ask->("query=$_"), 'string_unicode query query', "query=$_"
        for '%00', 'a%00b', '%ff', '%c0%af', '%ed%a0%80', '%e2%82';
    is $ask->("order_by=$_"), 'string_unicode query order_by', "order_by=$_" for '%00', '%ff';
    is $ask->("page=$_"), 'int_parsing query page', 'page=' . substr $_, 0, 20
        for '', 'x', '1.5', '0x10', '1e3', '--1', '%2b', '%EF%BC%91', 'null', '1_';
    like $ask->('page=' . 9 x $_), qr/^int_parsing(?:_size)? query page$/, "page of $_ digits" for 19, 20, 300, 5000;
    is $ask->("page=$_"), 'int_parsing query page', "page=$_" for '%ff', '%00', '1%00';
};

# ---- HTTP ----

subtest 'header fields' => sub {
    my $raw = sub ($lines, $method = 'GET', $target = '/users/user/status') {
        return fault(
            $roster->raw(
                "$method $target HTTP/1.1\r\n" . join('', map { "$_\r\n" } @$lines) . "Connection: close\r\n\r\n"));
    };
    my @good = ('Host: a', "Authorization: Bearer $user->{token}");
    is $raw->(\@good), '200', 'the usual ones';
    is $raw->([@good, $good[1]]), '400 BAD_REQUEST', 'Authorization twice';
    is $raw->([@good, 'Content-Length: 0', 'Content-Length: 0']), '400 BAD_REQUEST', 'Content-Length twice';
    is $raw->([@good, 'Host: b']), '400 BAD_REQUEST', 'Host twice';
    is $raw->([@good, 'Content-Length: -1']), '400 BAD_REQUEST', 'a negative length';
    is $raw->([@good, 'Content-Length: 99999999999999999999']), '400 BAD_REQUEST', 'a length beyond 64 bits';
    is $raw->([@good, 'Transfer-Encoding: chunked, chunked'], 'POST'), '400 BAD_REQUEST', 'chunked twice';
    is $raw->([@good, ('X-A: 1', 'X-A: 2') x 5, 'Accept: */*', 'Accept: text/html', 'User-Agent: a', 'User-Agent: b']),
        '200', 'others twice';
    is $raw->(['Host: a', "Cookie: token=$user->{token}", 'Cookie: a=b']), '200', 'Cookie twice';
    is $raw->(['Host: a', 'X-API-Key: sk-x', 'X-API-Key: sk-y']), '401 INVALID_TOKEN', 'x-api-key twice';
    is $raw->([@good, map { "X-$_: x" } 1 .. 200]), '431 HEADER_FIELDS_TOO_LARGE', '200 of them';
    is $raw->([@good, 'X: ' . 'x' x 20_000]), '431 HEADER_FIELDS_TOO_LARGE', 'one of 20 KB';
    like $raw->([@good, 'no colon']), qr/^(?:400 BAD_REQUEST|200 )$/, 'one without a colon (nginx 1.22 refuses it)';
    is $raw->(['Host: a', "Authorization: Bearer $user->{token}\x01"]), '401 UNAUTHORIZED', 'a control character';
    is $raw->(['Host: a', "Authorization: Bearer \xff\xfe"]), '401 UNAUTHORIZED', 'bytes that are no ASCII';
    is $raw->(['Host: a', "Authorization: Bearer a\0b"]), '400 BAD_REQUEST', 'NUL';
    is $raw->(["Host: \xff"]), '401 NOT_AUTHENTICATED', 'a strange Host';
    is $raw->([@good, "User-Agent: \xff\xfe\x80" . 'x' x 3000]), '200', 'a strange User-Agent';
    is $raw->([@good, 'If-None-Match: ' . '"x", ' x 500], 'GET', "/users/$user->{id}/profile/image"), '200',
        'a long If-None-Match';
    is $raw->([@good, 'Range: bytes=0-1,5-9', 'If-Modified-Since: yesterday']), '200', 'Range and If-Modified-Since';
    is $raw->([@good, 'Content-Encoding: gzip', 'X-HTTP-Method-Override: DELETE', 'Upgrade: websocket']), '200',
        'fields that mean nothing here';
};

subtest 'HTTP/1.0' => sub {
    my $answer = $roster->raw("GET /users/user/status HTTP/1.0\r\nAuthorization: Bearer $user->{token}\r\n\r\n");
    is fault($answer), '200', 'without Host';
    is $answer->{headers}{'transfer-encoding'}, undef, 'not in chunks';
    is fault($roster->raw("GET /users/ HTTP/1.0\r\n\r\n")), '401 NOT_AUTHENTICATED', 'an error';
    is fault($roster->raw(
              "POST /users/user/info/update HTTP/1.0\r\nAuthorization: Bearer $user->{token}\r\n"
            . "Content-Length: 2\r\n\r\n{}")),
        '200', 'a body';
    is fault($roster->raw("POST /users/user/info/update HTTP/1.0\r\nAuthorization: Bearer $user->{token}\r\n\r\n")),
        'missing body', 'no body and no length';
    my $socket = $roster->open_connection;
    syswrite $socket, "GET /users/\r\n";
    my $bytes = '';
    1 while sysread $socket, $bytes, 65536, length $bytes;
    like $bytes, qr/"code":\s*"(?:NOT_AUTHENTICATED|BAD_REQUEST)"/, 'HTTP/0.9 is answered';
};

subtest 'chunks' => sub {
    my $head =
          "POST /users/user/info/update HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer $user->{token}\r\n"
        . "Content-Type: application/json\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n";
    my $send = sub ($body, %options) { return fault($roster->raw($head . $body, %options)) };
    is $send->("2\r\n{}\r\n0\r\n\r\n"), '200', 'good ones';
    is $send->("1;a=b\r\n{\r\n1\r\n}\r\n0\r\nX: y\r\n\r\n"), '200', 'with an extension and a trailer';
    is $send->("0\r\n\r\n"), 'missing body', 'none';
    is $send->("1\r\n[\r\n0\r\n\r\n"), 'json_invalid body 1', 'half a body in whole chunks';
    is $send->("x\r\n{}\r\n0\r\n\r\n"), '400 BAD_REQUEST', 'a length that is none';
    is $send->("-2\r\n{}\r\n0\r\n\r\n"), '400 BAD_REQUEST', 'a negative length';
    is $send->("fffffffffffffffff\r\n{}\r\n0\r\n\r\n"), '400 BAD_REQUEST', 'a length beyond 64 bits';
    is $send->("1\r\n{}\r\n0\r\n\r\n"), '400 BAD_REQUEST', 'a length that is not true';
    # nginx takes the end of the stream for a client that is gone.
    like $send->("2\r\n{}\r\n", finish => 1), qr/^(?:no answer|400 BAD_REQUEST)$/, 'no end, and the client closes';
    is fault($roster->post('/users/user/info/update', $user, {x => 'y' x 1000}, chunked => 1)),
        '200', 'a thousand chunks of a byte';
};

subtest 'Expect' => sub {
    my $send = sub ($expect, $length, $body, $path = '/users/user/info/update') {
        return $roster->raw(
                  "POST $path HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer $user->{token}\r\nExpect: $expect\r\n"
                . "Content-Type: application/json\r\n"
                . "Content-Length: $length\r\nConnection: close\r\n\r\n$body");
    };
    my $answer = $send->('100-continue', 2, '{}');
    is fault($answer), '200', '100-continue';
    is_deeply $answer->{interim}, [100], 'with 100 first';
    $answer = $send->('100-continue', 50_000_000, '');
    is fault($answer), '413 CONTENT_TOO_LARGE', '100-continue before 50 MB';
    is_deeply $answer->{interim}, [], 'without 100: nothing need be sent';
    is fault($send->('something', 2, '{}')), '200', 'another expectation means nothing here';
};

subtest 'several requests in one go' => sub {
    my $get = sub ($path, $last = 0) {
        return
            "GET $path HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer $user->{token}\r\n"
            . ($last ? "Connection: close\r\n" : '') . "\r\n";
    };
    my $post = sub ($body, $length = length $body) {
        return "POST /users/user/info/update HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer $user->{token}\r\n"
            . "Content-Type: application/json\r\nContent-Length: $length\r\n\r\n$body";
    };
    my $all = sub ($bytes) {
        my $socket = $roster->open_connection;
        syswrite $socket, $bytes;
        my ($received, @answers) = '';
        local $SIG{ALRM} = sub { die "no answer in time\n" };
        alarm 60;
        1 while sysread $socket, $received, 65536, length $received;
        alarm 0;
        while (my $answer = Roster::Http::parse(\$received, 1, 'GET')) { push @answers, fault($answer) }
        return join ', ', @answers;
    };
    is $all->($get->('/users/user/status') . $get->('/nothing') . $get->('/users/all') . $get->('/users/user/info', 1)),
        '200, 404 PATH_NOT_FOUND, 401 ACCESS_PROHIBITED, 200',
        'four answers, in order';
    is $all->($post->('{}') . $post->('[') . $post->('') . $get->('/users/user/status', 1)),
        '200, json_invalid body 1, missing body, 200', 'bodies between them';
    is $all->($post->('{"a":1}rubbish', 7) . "\r\n"), '200, 400 BAD_REQUEST', 'rubbish behind a body is not a request';
    is $all->($post->($get->('/users/user/status')) . $get->('/users/user/info', 1)), 'json_invalid body 0, 200',
        'a request within a body is none';
    is $all->($get->('/users/user/status') x 49 . $get->('/users/user/status', 1)), join(', ', ('200') x 50),
        'fifty at once';
};

# ---- Clients that are slow, or go away ----

subtest 'slow clients' => sub {
    my $slow = sub ($bytes, $step, $pause) {
        my $socket = $roster->open_connection;
        for my $part (unpack "(a$step)*", $bytes) {
            syswrite $socket, $part;
            Time::HiRes::sleep($pause);
        }
        return fault(Roster::Http::exchange($socket, '', timeout => 20));
    };
    is $slow->(Roster::Http::compose(GET => '/users/user/status', token => $user->{token}), 40, 0.01), '200',
        'header fields in small pieces';
    is $slow->(
        Roster::Http::compose(POST => '/users/user/info/update', token => $user->{token}, json => {a => 'x' x 500}),
        25, 0.01
        ),
        '200', 'a body in small pieces';
    my $start = Time::HiRes::time();
    is fault($roster->get('/users/user/status', $user)), '200', 'while twenty bodies are stuck others are answered'
        for 1 .. 4;
    is fault($roster->sign_in($user)), '200', 'at the other pool as well';
    cmp_ok Time::HiRes::time() - $start, '<', 5, 'at once';
};

subtest 'clients that go away' => sub {
    my $leave = sub ($bytes, $reset, $wait = 0) {
        my $socket = $roster->open_connection;
        setsockopt $socket, SOL_SOCKET, SO_LINGER, pack 'ii', 1, 0 if $reset;
        syswrite $socket, $bytes;
        Time::HiRes::sleep($wait) if $wait;
        close $socket;
    };
    my $whole = Roster::Http::compose(GET => '/users/', token => $admin->{token});
    my $body =
        Roster::Http::compose(POST => '/users/user/info/update', token => $user->{token}, json => {a => 'x' x 100_000});
    my $sign_in = Roster::Http::compose(
        POST => '/auths/signin',
        json => {email => $user->{email}, password => $user->{password}});
    for my $reset (0, 1) {
        for my $round (1 .. 15) {
            $leave->($whole, $reset, $round % 2 * 0.002);
            $leave->($body, $reset);
            $leave->($sign_in, $reset);
            $leave->(substr($body, 0, 200 + $round * 1000), $reset);
            $leave->(substr($whole, 0, $round * 5), $reset);
        }
    }
    like fault($roster->raw(substr($body, 0, 5000), finish => 1)), qr/^(?:no answer|400 BAD_REQUEST)$/,
        'half a body, then the end of the stream';
    is fault($roster->get('/users/user/status', $user)), '200', 'the next one is served' for 1 .. 4;

    # The same at the workers, without nginx.
    for my $pool (@Roster::POOLS) {
        my $bytes = Roster::Fastcgi::compose(
            [
                REQUEST_METHOD => 'POST',
                REQUEST_URI => $pool eq 'api' ? '/users/user/info/update' : '/auths/signin',
                CONTENT_LENGTH => 1000,
                CONTENT_TYPE => 'application/json',
                HTTP_AUTHORIZATION => "Bearer $user->{token}"
            ],
            'x' x 1000);
        for my $length (0, 1, 7, 8, 15, 16, 20, 100, 250, length($bytes) - 600, length($bytes) - 8, length $bytes) {
            my $socket = Roster::Http::open_socket(unix => $roster->socket_path($pool));
            syswrite $socket, substr $bytes, 0, $length;
            close $socket;
        }
        for my $rubbish (
            "GET / HTTP/1.1\r\n\r\n",
            "\0" x 100,
            "\xff" x 100,
            pack('CCnnCC', 1, 1, 1, 8, 0, 0) . "\xff" x 8,
            pack('CCnnCC', 1, 4, 1, 65535, 0, 0) . 'x' x 100)
        {
            my $socket = Roster::Http::open_socket(unix => $roster->socket_path($pool));
            syswrite $socket, $rubbish;
            close $socket;
        }
        ok $roster->pool_answers($pool), "pool $pool answers afterwards";
    }
};

# A body of one client could be made to look like the next request, with an address that its client chooses.
subtest 'two requests in one connection' => sub {
    my $kept = sub ($id) {
        my $bytes = Roster::Fastcgi::compose(
            [REQUEST_METHOD => 'GET', REQUEST_URI => '/ping', REMOTE_ADDR => '127.0.0.1', REQUEST_ID => $id], '');
        substr $bytes, 0, 16, Roster::Fastcgi::record(1, pack 'nCx5', 1, 1);
        return $bytes;
    };
    my $socket = Roster::Http::open_socket(unix => $roster->socket_path('api'));
    syswrite $socket, $kept->('kept-first') . $kept->('kept-second');
    local $/ = undef;
    is scalar(() = <$socket> =~ /pong/g), 1, 'the first one is answered, and the connection ends';
    ok $roster->wait_log(qr/request=kept-first /, 'roster-access'), 'it is logged';
    ok $roster->pool_answers('api'), 'the pool answers';
    unlike $roster->log_text('roster-access'), qr/kept-second/, 'the second one was not read';
};

# ---- What is left ----

{
    # nginx gives up on a body, or on header fields, after 15 s of silence.
    my $left = $stuck_since + 16 - time;
    sleep $left if $left > 0;
    my $open = 0;
    for my $socket (@stuck) {
        $socket->blocking(0);
        my $count = sysread $socket, my ($bytes), 65536;
        $open++ if !defined $count;
    }
    is $open, 0, 'connections that were stuck have been closed';
}
is_deeply [$roster->workers], \@workers, 'the workers are the same';
for my $pool (@Roster::POOLS) { ok $roster->pool_answers($pool), "pool $pool answers" }
for my $log (qw(roster-access nginx-access)) {
    my @lines = grep { $log eq 'nginx-access' ? /" 5\d\d \d+ / : /\bstatus=5\d\d\b/ } split /^/,
        $roster->log_text($log);
    is "@lines[0 .. ($#lines > 4 ? 4 : $#lines)]", '', "no 5xx in $log";
}
my @errors = grep { /\[(?:error|alert)\]/ } split /^/, $roster->log_text;
is "@errors[0 .. ($#errors > 4 ? 4 : $#errors)]", '', 'no error in the log of the workers';

done_testing;
