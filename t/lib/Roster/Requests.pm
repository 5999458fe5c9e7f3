# Roster::Requests: what a test asks the service: methods of Roster. Each gives the answer as Roster::Http::parse has
# it, or undef where the connection was closed without one.
#
#   $roster->get('/users/', $admin)                        with somebody's token
#   $roster->post('/groups/create', $admin, {name => 'A'}) a body in JSON
#   $roster->ask(DELETE => "/users/$id", $admin)           any method
#   $roster->sign_in($user), $roster->sign_in($email, password => 'wrong password')
#   $roster->request(GET => '/users/', headers => [...])   everything about a request
#   $roster->call(user_get => 200, in => {user_id => $id}) an operation of the OpenAPI document: a test of its answer
#
# Who asks is what add_user gave, or a token as text; undef is nobody. At the end may stand options of `request`.
package Roster::Requests;
use v5.36;

use Test::More ();

use Roster::Document;
use Roster::Fastcgi;
use Roster::Http;

# A request through nginx. Options: those of Roster::Http::compose (headers, token, cookie, json, body, chunked, host,
# http), client (the address that it comes from: 127.0.0.1), https, tcp, timeout, finish.
sub request ($self, $method, $target, %options) {
    $self->note_secrets_of_request(\%options);
    my $answer = $self->raw(Roster::Http::compose($method, $target, %options), %options, method => $method);
    $self->note_secrets_of_answer($answer) if $answer && ref $answer->{json} eq 'HASH';
    return $answer;
}

sub ask ($self, $method, $path, $who = undef, %options) {
    return $self->request($method => $path, token => ref $who ? $who->{token} : $who, %options);
}

sub get ($self, $path, $who = undef, %options) { return $self->ask(GET => $path, $who, %options) }

# $body: data, undef too, becomes JSON; a text is sent as it is, as JSON.
sub post ($self, $path, $who, $body, %options) {
    return $self->ask(POST => $path, $who, json => $body, %options) if ref $body || !defined $body;
    return $self->ask(POST => $path, $who, headers => ['Content-Type' => 'application/json'], body => $body, %options);
}

# Calls an operation of the OpenAPI document by its name, and looks whether the answer is what the document says of it.
# `expected` is a status, or the code of an error. Options: in (what fills the path), query (with its question mark), and
# those of request. The answer. t/tables/openapi.t looks for these calls: each endpoint is called with 200, and shows
# each error of its own, here or in 52-route-errors.t.
#
#   $roster->call(user_active => 200, in => {user_id => $id}, token => $admin->{token});
sub call ($self, $name, $expected, %options) {
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    my $operation = Roster::Document::operations($self)->{$name} // die "there is no operation $name\n";
    my %in = %{delete $options{in} // {}};
    my $query = delete $options{query} // '';
    my $target = ($operation->{path} =~ s/\{(\w+)\}/$in{$1} \/\/ 'nothing'/ger) . $query;
    my $answer = $self->request($operation->{method} => $target, %options);
    my @faults = Roster::Document::faults_of_answer($self, $name, $expected, $answer);
    Test::More::ok(!@faults, "$name: $expected as the document says")
        || Test::More::diag(join "\n", @faults, substr $answer->{body} // '', 0, 600);
    return $answer;
}

# Signs in: $who is what add_user gave, or an email. Options: also `password`, where it is not that of the account, or
# of every account.
sub sign_in ($self, $who, %options) {
    my ($email, $password) = ref $who ? @$who{qw(email password)} : ($who, $Roster::PASSWORD);
    $password = delete $options{password} if exists $options{password};
    return $self->request(POST => '/auths/signin', json => {email => $email, password => $password}, %options);
}

# The same; gives the session's token. Dies where nobody is signed in.
sub new_session ($self, $who, %options) {
    my $answer = $self->sign_in($who, %options);
    return $answer->{json}{token} // die "sign-in failed: $answer->{status} $answer->{body}\n";
}

# What /status says, as data.
sub status ($self) { return $self->get('/status?format=json')->{json} }

# The settings that administrators change, and a change of some: a test, which gives what there was before.
sub settings ($self, $who) { return $self->get('/auths/admin/config', $who)->{json} }

sub change_settings ($self, $who, %changes) {
    my $before = $self->settings($who);
    my $answer = $self->post('/auths/admin/config', $who, {%$before, %changes});
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    Test::More::is($answer->{status}, 200, join ' ', 'settings:', map { "$_=$changes{$_}" } sort keys %changes)
        || Test::More::diag($answer->{body});
    return $before;
}

# Changes an account as an administrator does: what $changes has, and for the rest what $user says.
sub update_user ($self, $who, $user, $changes = {}, %options) {
    my %body = (map({ ($_ => $user->{$_}) } qw(role name email)), profile_image_url => '/user.png', %$changes);
    return $self->post("/users/$user->{id}/update", $who, \%body, %options);
}

# Exactly these bytes through nginx.
sub raw ($self, $bytes, %options) {
    my $socket = $self->open_connection(%options);
    my $answer = Roster::Http::exchange($socket, $bytes, %options);
    Roster::Http::close_socket($socket);
    return $answer;
}

# Sends all requests, as bytes, before it reads the first answer. A hash in front has options of open_connection.
sub all_at_once ($self, @requests) {
    my %options = ref $requests[0] ? %{shift @requests} : ();
    my @sockets = map { my $socket = $self->open_connection(%options); syswrite $socket, $_; $socket } @requests;
    return map { Roster::Http::exchange($_, '') } @sockets;
}

# A connection to nginx, for tests that do strange things with it. Options: client, https, tcp, as above.
sub open_connection ($self, %options) {
    return Roster::Http::open_socket(unix_tls => $self->socket_path('https')) if $options{https};
    return Roster::Http::open_socket(tcp => $self->{port}{http}) if $options{tcp};
    my $socket = Roster::Http::open_socket(unix => $self->socket_path('http'));
    my $client = $options{client} // '127.0.0.1';
    my ($family, $server) = $client =~ /:/ ? ('TCP6', '::1') : ('TCP4', '127.0.0.1');
    syswrite $socket, "PROXY $family $client $server 50000 80\r\n";
    return $socket;
}

# Past nginx: FastCGI to a worker of this pool.
sub fastcgi ($self, $pool, $params, $body = '', %options) {
    return Roster::Fastcgi::request($self->listen_path($pool), $params, $body, %options);
}

sub note_secrets_of_request ($self, $options) {
    my $body = $options->{json};
    if (ref $body eq 'HASH') {
        $self->secret($body->{$_}) for grep { /password/i && defined $body->{$_} && !ref $body->{$_} } keys %$body;
    }
    $self->secret($_) for grep { defined && length >= 16 } @$options{qw(token cookie)};
    return;
}

sub note_secrets_of_answer ($self, $answer) {
    for my $name (qw(token api_key)) {
        my $value = $answer->{json}{$name};
        $self->secret($value) if defined $value && !ref $value && $value !~ /…|\*|\.\.\./;
    }
    return;
}

1;
