# A cell that names something is resolved by the compiler: with a typo in it, no table compiles. Each column is one of
#
#   resolved  every cell gets a typo, and the compiler must complain of each
#   defined   the cell defines a name that other tables use: it must complain of each name that is no longer there
#   a pattern with %s: it defines a name that src must use so, or else a typo would be noticed by nothing
#   text      for people
#   number
#   outside   what clients, files, databases or those who type a command call it: nothing here can know it
use v5.36;

use File::Find ();
use File::Path ();
use File::Temp ();
use Test::More;
use Roster::Tables;

# The command that compiles, asked of make; not as a part of the make that runs this test.
my $make = 'env -u MAKEFLAGS -u MFLAGS -u MAKELEVEL make -s --no-print-directory';
my $rule = 'print-compile: ; @:$(info $(COMPILE))';
my $compile = qx{$make -C '$Roster::Tables::build' --eval='$rule' print-compile 2>/dev/null} =~ s/\n\z//r =~ s/.*\n//sr;
plan skip_all => 'make does not say how to compile' if $compile !~ /\S/;

# table, macro, where it is expanded, columns.
my @tables = (
    [
        'tables/routes.def', 'ROUTE', 'worker/router.c',
        name => '\\bhandle_%s',
        path => 'text',
        text => 'text',
        map { ($_ => 'resolved') } qw(method place who takes body query gives pool limit)
    ],
    [
        'tables/routes.def', 'ROUTE_ERROR', 'worker/document.c',
        route => 'resolved',
        code => 'resolved',
        status => 'number'
    ],
    ['tables/routes.def', 'ROUTE_AUDIT', 'worker/router.c', route => 'resolved', action => 'resolved'],
    ['tables/routes.def', 'ROUTE_UNAUDITED', 'worker/router.c', route => 'resolved', why => 'text'],
    ['tables/audit.def', 'AUDIT_ACTION', '', name => '\\bAUDIT_%s\\b', object => 'text', text => 'text'],
    [
        'tables/persons.def', 'PERSON_TABLE', 'store/person_store.c',
        name => 'resolved',
        sql => 'text',
        condition => 'text'
    ],
    [
        'tables/persons.def', 'PERSON_COLUMN', 'store/person_store.c',
        table => 'resolved',
        name => 'text',
        kind => 'resolved'
    ],
    ['tables/persons.def', 'PERSON_HIDDEN', 'store/person_store.c', table => 'text', name => 'text', why => 'text'],
    ['tables/persons.def', 'PERSON_NONE', 'store/person_store.c', table => 'text', why => 'text'],
    ['tables/routes.def', 'ROUTE_CONFIRM', 'worker/router.c', route => 'resolved'],
    ['tables/routes.def', 'ROUTE_FOR_MONITORS', 'worker/router.c', route => 'resolved'],
    [
        'tables/routes.def', 'ROUTE_NEEDS', 'worker/router.c',
        route => 'resolved',
        permission => 'resolved',
        code => 'resolved',
        since => 'resolved'
    ],
    ['tables/routes.def', 'ROUTE_READS', 'worker/router.c', route => 'resolved', part => 'resolved'],
    ['tables/schemas.def', 'SCHEMA', 'worker/schema.c', name => 'resolved', kind => 'resolved', text => 'text'],
    [
        'tables/sandbox.def', 'SANDBOX_KIND', 'base/sandbox.c',
        kind => '\\bSANDBOX_%s',
        groups => 'resolved',
        scope => 'resolved',
        text => 'text'
    ],
    # t/unit/test_sandbox.c asks libseccomp for the names of calls.
    ['tables/sandbox.def', 'SANDBOX_CALL', 'base/sandbox.c', group => 'resolved', call => 'outside'],
    [
        'tables/sandbox.def', 'SANDBOX_CALL_WHEN', 'base/sandbox.c',
        group => 'resolved',
        call => 'outside',
        argument => 'number',
        test => 'resolved',
        value => 'resolved',
        mask => 'number'
    ],
    ['tables/sandbox.def', 'SANDBOX_ABSENT', 'base/sandbox.c', call => 'outside'],
    [
        'tables/sandbox.def', 'SANDBOX_REFUSED', 'base/sandbox.c',
        groups => 'resolved',
        call => 'outside',
        argument => 'number',
        value => 'resolved'
    ],
    [
        'tables/sandbox.def', 'SANDBOX_FILE', 'base/sandbox.c',
        group => 'resolved',
        path => 'outside',
        rights => 'resolved'
    ],
    [
        'tables/grants.def', 'GRANT_ACCOUNT', 'store/database_accounts.c',
        name => '\\bACCOUNT_%s\\b',
        suffix => 'outside',
        text => 'text'
    ],
    [
        'tables/grants.def', 'GRANT', 'store/database_accounts.c',
        table => 'outside',
        privilege => 'resolved',
        columns => 'outside',
        accounts => 'resolved'
    ],
    [
        'tables/grants.def', 'GRANT_GLOBAL', 'store/database_accounts.c',
        privilege => 'outside',
        accounts => 'resolved'
    ],
    ['tables/redis.def', 'REDIS_COMMAND', '', command => 'outside', part => 'outside', text => 'text'],
    ['tables/redis.def', 'REDIS_CHANNEL', '', name => 'outside'],
    ['tables/schemas.def', 'SCHEMA_END', 'worker/schema.c', name => 'defined'],
    [
        'tables/schemas.def', 'FIELD', 'worker/schema.c',
        schema => 'resolved',
        name => 'outside',
        type => 'resolved',
        needed => 'resolved',
        since => 'resolved',
        min => 'number',
        max => 'number',
        text => 'text'
    ],
    [
        'tables/shapes.def', 'SHAPE', 'worker/shape.c worker/router.c',
        name => 'defined',
        kind => 'resolved',
        of => 'resolved',
        text => 'text'
    ],
    [
        'tables/shapes.def', 'MEMBER', 'worker/shape.c',
        shape => 'resolved',
        name => 'outside',
        type => 'resolved',
        of => 'resolved',
        null => 'resolved',
        since => 'resolved',
        text => 'text'
    ],
    ['tables/shapes.def', 'MEMBERS', 'worker/shape.c', shape => 'resolved', table => 'resolved'],
    ['tables/shapes.def', 'SHAPE_EITHER', 'worker/shape.c', shape => 'resolved', of => 'resolved'],
    ['tables/shapes.def', 'SHAPE_EXTRA', 'worker/shape.c', shape => 'resolved'],
    ['tables/limits.def', 'LIMIT', 'worker/limit.c worker/router.c', name => 'defined'],
    [
        'tables/limits.def', 'LIMIT_RULE', 'worker/limit.c worker/document.c',
        limit => 'resolved',
        max => 'resolved',
        key => 'resolved',
        text => 'text'
    ],
    [
        'tables/errors.def', 'ERROR', '',
        CODE => '(?:\\bERROR_|"code": ")%s',
        status => 'number',
        'one sentence' => 'text'
    ],
    ['tables/faults.def', 'FAULT_TYPE', '', type => '\\bFAULT_%s', msg => 'text', text => 'text'],
    [
        'tables/columns.def', 'USER_COLUMN', 'store/rows.c worker/shape.c',
        name => 'outside',
        type => 'resolved',
        place => 'resolved',
        null => 'resolved',
        since => 'resolved',
        text => 'text'
    ],
    [
        'tables/columns.def', 'GROUP_COLUMN', 'store/rows.c worker/shape.c',
        name => 'outside',
        type => 'resolved',
        null => 'resolved',
        since => 'resolved',
        text => 'text'
    ],
    (
        map { [
            'tables/columns.def', "${_}_COLUMN", 'store/rows.c worker/shape.c',
            name => 'outside',
            type => 'resolved',
            null => 'resolved',
            text => 'text'
        ] } qw(OAUTH_SESSION SESSION)
    ),
    ['tables/columns.def', 'KEY_COLUMN', 'store/rows.c', name => 'outside', type => 'resolved'],
    (
        map { [
            'tables/settings.def', $_, 'store/config_store.c',
            key => 'outside',
            path => 'outside',
            type => 'resolved',
            needed => 'resolved',
            fresh => 'resolved',
            since => 'resolved',
            text => 'text'
        ] } qw(SETTING LDAP_SETTING)
    ),
    [
        'tables/permissions.def', 'PERMISSION_SECTION', 'base/permission_table.c worker/schema.c',
        section => 'resolved',
        since => 'resolved',
        text => 'text'
    ],
    ['tables/interface_fields.def', 'INTERFACE_FIELD', 'api/settings_patch.c', name => 'outside'],
    [
        'tables/behaviours.def', 'BEHAVIOUR',
        'config/compatibility.c worker/schema.c worker/validate.c api/session.c api/groups.c api/settings_patch.c store/group_store.c auth/token.c',
        name => 'resolved',
        since => 'resolved',
        text => 'text'
    ],
    [
        'tables/permissions.def', 'PERMISSION', 'base/permission_table.c',
        section => 'resolved',
        key => 'outside',
        absent => 'resolved',
        fresh => 'resolved',
        since => 'resolved'
    ],
    [
        'tables/mails.def', 'MAIL', 'base/mail_table.c',
        name => '\\bMAIL_%s',
        link => 'resolved',
        notice => 'resolved',
        text => 'text'
    ],
    [
        'tables/mails.def', 'MAIL_LINK', 'base/mail_table.c config/config_mail.c',
        name => '\\bMAIL_LINK_%s',
        page => 'outside',
        lifetime => 'resolved'
    ],
    ['tables/mails.def', 'MAIL_NOTICE', 'base/mail_table.c', name => 'defined'],
    ['tables/mails.def', 'MAIL_VALUE', '', name => '\\bMAIL_VALUE_%s', text => 'text'],
    ['tables/imports.def', 'IMPORT_TABLE', '', table => '\\bIMPORT_%s'],
    [
        'tables/imports.def', 'IMPORT_COLUMN', 'import/import_value.c import/import_survey.c',
        table => 'resolved',
        column => 'outside',
        kind => 'resolved',
        max => 'number',
        bad => 'resolved',
        absent => 'resolved'
    ],
    [
        'tables/imports.def', 'IMPORT_KEPT', 'import/import_value.c',
        table => 'resolved',
        column => 'resolved',
        text => 'text'
    ],
    ['tables/imports.def', 'IMPORT_OLDER_COLUMN', 'import/import_survey.c', table => 'resolved', column => 'outside'],
    [
        'tables/imports.def', 'IMPORT_ELSEWHERE_COLUMN', 'import/import_survey.c',
        table => 'resolved',
        column => 'outside'
    ],
    ['tables/imports.def', 'IMPORT_ELSEWHERE', '', table => 'outside'],
    ['ctl/commands.def', 'COMMAND_GROUP', 'ctl/ctl_table.c', title => 'text', first => 'resolved'],
    [
        'ctl/commands.def', 'COMMAND', 'ctl/ctl_table.c',
        name => '\\bcommand_%s',
        words => 'outside',
        arguments => 'text',
        min => 'number',
        max => 'number',
        needs => 'resolved',
        text => 'text',
        more => 'text'
    ],
    ['ctl/commands.def', 'COMMAND_ALONE', 'ctl/ctl_table.c', word => 'outside', command => 'resolved'],
    ['ctl/commands.def', 'COMMAND_REMOVES', 'ctl/ctl_table.c', command => 'resolved'],
    ['ctl/commands.def', 'COMMAND_MEANT', 'ctl/ctl_table.c', words => 'text', command => 'resolved'],
    ['ctl/commands.def', 'ARGUMENT', '', name => 'outside', choices => 'outside'],
    ['ctl/commands.def', 'OPTION_NAME', 'ctl/ctl_table.c', name => 'defined', words => 'outside', value => 'resolved'],
    [
        'ctl/commands.def', 'OPTION', 'ctl/ctl_table.c',
        command => 'resolved',
        name => 'resolved',
        needed => 'resolved',
        text => 'text'
    ],
    ['ctl/commands.def', 'GLOBAL_OPTION', 'ctl/ctl_table.c', letter => 'outside', name => 'resolved', text => 'text'],
    ['ctl/commands.def', 'EXIT_STATUS', '', name => '\\bEXIT_%s', number => 'number', text => 'text'],
    ['tables/directives.def', 'SECTION', '', title => 'text', text => 'text'],
    [
        'tables/directives.def', 'DIRECTIVE', 'config/config_table.c',
        name => '(?:->|\\.|, )%s',
        scope => 'resolved',
        type => 'resolved',
        default => 'outside',
        min => 'number',
        max => 'number',
        applies => 'resolved',
        text => 'text'
    ],
    [
        'tables/directives.def', 'POOL_DEFAULT', 'config/config_table.c',
        pool => 'resolved',
        name => 'resolved',
        value => 'outside'
    ],);

# What uses names of the tables: all of src, the limits, which name directives, and nginx's own errors.
my $code = join '', map { Roster::Tables::slurp("$Roster::Tables::source/src/tables/$_.def") } qw(limits mails);
File::Find::find({no_chdir => 1, wanted => sub { $code .= Roster::Tables::slurp($_) if /\.(?:[ch]|conf)$/ }},
    "$Roster::Tables::source/src", "$Roster::Tables::source/nginx");

my $directory = File::Temp->newdir;
my $english = q(LC_ALL=C LANGUAGE=C);
my $many = qx{$compile --version} =~ /clang/ ? '-ferror-limit=0' : '-fmax-errors=0 -ftrack-macro-expansion=0';

# What the compiler says of a source where this text stands for a table; undef where it is content.
sub complaints ($table, $text, $source) {
    my $file = "$directory/$table";
    File::Path::make_path($file =~ s{/[^/]*$}{}r);
    open my $out, '>:encoding(UTF-8)', $file or die "$file: $!\n";
    print {$out} $text;
    close $out or die "$file: $!\n";
    my $said =
        qx{$english $compile $many -fsyntax-only -iquote '$directory' '$Roster::Tables::source/src/$source' 2>&1};
    my $status = $?;
    unlink $file;
    return $status == 0 ? undef : $said;
}

# A cell: a text, or what may hold parentheses, as ENUM(privacy).
my $cell = qr/(?:"(?:[^"\\]|\\.)*"|'[^']*'|\((?:[^()]*)\)|[^()"',])*/s;

# The text with a typo at the end of each word that stands alone in a column, or of the one of this number; and these
# words.
sub with_typos ($text, $macro, $column, $number = undef) {
    my @typos;
    $text =~ s{^($macro\((?:$cell,){$column}\s*)(\w+)(?=\s*[,()|])}{
        push @typos, "$2_typo" . @typos;
        $1 . (!defined $number || $number == $#typos ? $typos[-1] : $2)
    }gme;
    return ($text, @typos);
}

# The typos in a column that no compiler complains of. All are tried at once; behind some errors a compiler sees no
# others, so those that it did not name are tried one by one.
sub unnoticed ($file, $text, $macro, $column, $kind, @sources) {
    my ($spoilt, @typos) = with_typos($text, $macro, $column);
    my $said = join '', grep { defined } map { complaints($file, $spoilt, $_) } @sources;
    my @left = grep {
        my $name = $kind eq 'defined' ? $typos[$_] =~ s/_typo\d+$//r : $typos[$_];
        $said !~ /(?<![^\W_])\Q$name\E\b/
    } 0 .. $#typos;
    return 'everything: the column has no words' if !@typos;
    return map { $typos[$_] } grep {
        my ($one) = with_typos($text, $macro, $column, $_);
        !grep { defined complaints($file, $one, $_) } @sources
    } @left;
}

my (%covered, %compiles);
for my $table (@tables) {
    my ($file, $macro, $sources, @columns) = @$table;
    $covered{"$file $macro"} = 1;
    my $text = Roster::Tables::slurp("$Roster::Tables::source/src/$file");
    my ($head) = $text =~ /^(?:#define| \*|.*:) \Q$macro\E\(([\w, ]+)\)/m;
    my @names = split /, /, $head // '';
    my %kind = @columns;
    is_deeply [sort keys %kind], [sort @names], "$file: each column of $macro is looked at";
    for my $column (0 .. $#names) {
        my $kind = $kind{$names[$column]} // next;
        if ($kind eq 'resolved' || $kind eq 'defined') {
            is join(' ', unnoticed($file, $text, $macro, $column, $kind, split ' ', $sources)), '',
                "$macro: the compiler knows the cells of $names[$column]";
        }
        elsif ($kind =~ /%s/) {
            my @unused = grep { $code !~ sprintf "$kind\\b", $_ }
                map { $_->[$column] } Roster::Tables::rows($file, $macro);
            is "@unused", '', "$macro: src uses each $names[$column]";
        }
    }
    for my $source (split ' ', $sources) {
        ok !defined complaints($file, $text, $source), "$source compiles as it is" if !$compiles{$source}++;
    }
}

# No table is forgotten.
File::Find::find(
    {
        no_chdir => 1,
        wanted => sub {
            my ($file) = m{/src/(.*\.def)$} or return;
            my $text = Roster::Tables::slurp($_);
            $text =~ s{/\*.*?\*/}{}sg;
            my %macros = map { ($_ => 1) } $text =~ /^([A-Z_]+)\(/mg;
            delete @macros{qw(NGINX_OPTIONS)};
            # The rows of enums.def are words of roster.conf with a value each, which src uses.
            is_deeply [grep { !$covered{"$file $_"} } sort keys %macros], [], "$file: each macro is looked at"
                if $file !~ m{/enums\.def$};
        }
    },
    "$Roster::Tables::source/src");

done_testing;
