# Clients: that of `rosterctl client', and those that generators make of the OpenAPI document: they compile, and they work. `./quickstart check` gets the
# generators where npm and pip are at hand, and names their directory in ROSTER_TOOLS; without them this is left out.
use v5.36;
use utf8;

use Test::More;
use Roster;

my $tools = $ENV{ROSTER_TOOLS} // "$Roster::source/run/check/tools";
my $has_js = -x "$tools/js/node_modules/.bin/openapi-typescript" && -x "$tools/js/node_modules/.bin/tsc";
my $has_python = -x "$tools/python/bin/openapi-python-client";
plan skip_all => 'no generators: ./quickstart check gets them, with npm and pip' if !$has_js && !$has_python;

my $roster = Roster->new(tcp => 1);
my $admin = $roster->add_user(role => 'admin', name => 'Ada', email => 'ada@example.org');
my $directory = $roster->directory . '/clients';
mkdir $directory or die "$directory: $!\n";
my $file = "$directory/openapi.json";
Roster::Database::write_file($file, $roster->get('/openapi.json')->{body});

my @twenty = qw(users_list users_all users_search users_own_groups users_own_permissions default_permissions_get
    default_permissions_set settings_get settings_update status_get status_update info_get info_update
    user_get user_oauth_sessions user_picture user_active user_update user_delete user_groups);

# A command's output, and whether it succeeded.
sub run (@command) {
    my $pid = open my $out, '-|';
    die "fork: $!\n" if !defined $pid;
    if (!$pid) {
        open STDERR, '>&', \*STDOUT;
        open STDIN, '<', '/dev/null';
        delete @ENV{qw(http_proxy https_proxy all_proxy HTTP_PROXY HTTPS_PROXY ALL_PROXY)};
        chdir $directory or die "$directory: $!\n";
        exec @command or die "$command[0]: $!\n";
    }
    local $/ = undef;
    my $said = readline($out) // '';
    return (close($out) ? 1 : 0, $said);
}

sub runs ($name, @command) {
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    my ($good, $said) = run(@command);
    ok $good, $name or diag $said;
    return $said;
}

subtest 'TypeScript' => sub {
    plan skip_all => 'openapi-typescript and tsc are not there' if !$has_js;
    symlink "$tools/js/node_modules", "$directory/node_modules" or die "symlink: $!\n";
    Roster::Database::write_file("$directory/package.json", '{"type":"module"}');
    Roster::Database::write_file("$directory/use.ts", Roster::Database::slurp("$Roster::source/t/clients/use.ts"));
    Roster::Database::write_file("$directory/run.js", <<~'JS');
        import { use } from "./use.js";
        console.log((await use(...process.argv.slice(2))).join(" "));
        JS
    runs(
        'openapi-typescript takes the document',
        "$tools/js/node_modules/.bin/openapi-typescript",
        $file, '-o', "$directory/roster.d.ts");
    my $types = Roster::Database::slurp("$directory/roster.d.ts");
    is_deeply [grep { !/^export type (?:webhooks|\$defs) =/ } $types =~ /^(.*Record<string, never>.*)$/mg], [],
        'no object is taken for an empty one';
    my @tsc = (
        "$tools/js/node_modules/.bin/tsc", '--strict',
        '--noUncheckedIndexedAccess', '--exactOptionalPropertyTypes',
        '--target', 'es2022',
        '--lib', 'es2022,dom,dom.iterable',
        '--module', 'nodenext',
        '--moduleResolution', 'nodenext',
        'use.ts');
    runs('tsc --strict compiles a client', @tsc);
    my $said = runs('and it works', 'node', 'run.js', $roster->url, $admin->{email}, $admin->{password});
    is_deeply [sort split ' ', $said], [sort @twenty], 'each of the twenty operations was called';

    # The compiler is asked: what the document forbids does not compile.
    my $source = Roster::Database::slurp("$Roster::source/t/clients/use.ts");
    my %line;
    for my $fault (
        [
            'a role that is none',
            'password: "a rather long one", role: "user"',
            'password: "a rather long one", role: "root"'
        ],
        ['a path that there is not', '/api/v1/users/all', '/api/v1/users/al'],
        ['a number for a text', 'name: "Retyped"', 'name: 7'],
        ['a field that lacks', 'description: "", permissions', 'permissions'],
        ['a member that there is not', 'page.total', 'page.totals'])
    {
        my ($name, $good, $bad) = @$fault;
        my $at = index $source, $good;
        $line{$name} = 1 + (substr($source, 0, $at) =~ tr/\n//) if $at >= 0;
        $source =~ s/\Q$good\E/$bad/;
    }
    is keys %line, 5, 'the source has what is changed';
    Roster::Database::write_file("$directory/use.ts", $source);
    my ($compiles, $faults) = run(@tsc, '--noEmit', '--pretty', 'false');
    ok !$compiles, 'what is wrong does not compile';
    # An error in an argument may be told for the call, which begins a line before.
    for my $name (sort keys %line) {
        my ($there) = grep { abs($_ - $line{$name}) <= 1 } $faults =~ /^use\.ts\((\d+),/mg;
        ok $there, "... $name" or diag $faults;
    }
};

# The package of npm, as it is built: its types are those of the functions, and the functions work.
subtest 'rosterctl client' => sub {
    plan skip_all => 'tsc is not there' if !$has_js;
    my $package = "$directory/own";
    mkdir $package or die "$package: $!\n";
    Roster::Database::write_file("$package/client.js", $roster->ctl('client')->{out});
    Roster::Database::write_file("$package/client.d.ts", $roster->ctl('client', '--types')->{out});
    for my $file (qw(client.js client.d.ts)) {
        is Roster::Database::slurp("$package/$file"), Roster::Database::slurp("$Roster::build/client/$file"),
            "the package has this $file";
    }
    my $about = JSON::PP->new->decode(Roster::Database::slurp("$Roster::build/client/package.json"));
    my ($version) = Roster::Database::slurp("$package/client.js") =~ /version = "(.*)"/;
    is $about->{version}, $version, '... and the version of the service';
    Roster::Database::write_file("$package/package.json",
        Roster::Database::slurp("$Roster::build/client/package.json"));
    my $source = Roster::Database::slurp("$Roster::source/t/clients/own.ts");
    Roster::Database::write_file("$package/own.ts", $source);
    # The same with faults: an argument too few, a member that there is not, a field that lacks.
    my @faults =
        (['description: "", ', ''], ['roster.user_get(added.id)', 'roster.user_get()'], ['page.total', 'page.totals']);
    for (@faults) {
        my ($good, $bad) = @$_;
        ok $source =~ s/\Q$good\E/$bad/, "own.ts has `$good'";
    }
    Roster::Database::write_file("$package/faulty.ts", $source);
    my (undef, $faults) = run(
        "$tools/js/node_modules/.bin/tsc", '--strict',
        '--noUncheckedIndexedAccess', '--target',
        'es2022', '--lib',
        'es2022,dom,dom.iterable', '--module',
        'nodenext', '--moduleResolution',
        'nodenext', '--pretty',
        'false', 'own/own.ts',
        'own/faulty.ts');
    is_deeply [sort $faults =~ /^(own\/\w+)\.ts\(/mg], [('own/faulty') x @faults],
        'tsc --strict compiles it, and finds each fault of the other'
        or diag $faults;
    Roster::Database::write_file("$package/run.js", <<~'JS');
        import { use } from "./own.js";
        console.log((await use(...process.argv.slice(2))).join(" "));
        JS
    my $said = runs('it works', 'node', 'own/run.js', $roster->url, $admin->{email}, $admin->{password});
    is_deeply [sort split ' ', $said], [sort @twenty], 'each of the twenty operations was called';
};

subtest 'Python' => sub {
    plan skip_all => 'openapi-python-client is not there' if !$has_python;
    my @pictures = map { "  image/$_: application/octet-stream\n" } qw(png jpeg gif webp svg+xml);
    Roster::Database::write_file("$directory/python.yml", join '', "post_hooks: []\ncontent_type_overrides:\n",
        @pictures);
    my $said = runs(
        'openapi-python-client takes the document', "$tools/python/bin/openapi-python-client",
        'generate', '--path',
        $file, '--config',
        "$directory/python.yml", '--meta',
        'none', '--output-path',
        "$directory/roster", '--fail-on-warning');
    unlike $said, qr/WARNING|ERROR|Unable|Cannot/i, 'without a warning';
    $said = runs(
        'the client works', 'env',
        "PYTHONPATH=$directory", "$tools/python/bin/python",
        '-W', 'error::SyntaxWarning',
        "$Roster::source/t/clients/use.py", $roster->url,
        $admin->{email}, $admin->{password});
    my $operations = () = Roster::Database::slurp($file) =~ /"operationId"/g;
    is $said,
        join('',
        map { "$_\n" } "modules $operations",
        qw(sign_in users_list info_update settings_get user_get user_picture admin_config_set)),
        '... every operation can be loaded, and these were called';
};

done_testing;
